package check

import (
	"cmp"
	"slices"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// Judge says what the events of one run come to.
func Judge(events []history.Event) Verdict { return JudgeAt("", events) }

// Beyond is the verdict at the weakest level above this one at which the events fail: what
// went wrong, and was not promised. It has no outcome where there is no such level.
func Beyond(level contract.Level, events []history.Event) Verdict {
	for _, stronger := range contract.Levels {
		if level.AtLeast(stronger) {
			continue
		}
		if v := JudgeAt(stronger, events); v.Outcome == Fail {
			return v
		}
	}
	return Verdict{}
}

// JudgeAt is Judge by the promise of another level than the history names; empty: by that.
func JudgeAt(level contract.Level, events []history.Event) Verdict {
	c := NewChecker()
	for _, e := range events {
		if e.Kind == history.Began {
			e.Level = cmp.Or(level, e.Level)
		}
		c.Add(e)
	}
	v := c.Verdict()
	v.Locate(slices.Values(events))
	return v
}

// A Checker judges a history that is handed to it event by event. The zero value
// is not ready for use; see [NewChecker].
type Checker struct {
	events int
	began  bool
	ended  int // index of the event, or never
	level  contract.Level
	plan   plan.Plan

	messages []message
	byText   map[string]int32
	// inSight holds the messages shown anywhere in the order of first sight; an
	// index into it is a message's place.
	inSight []int32
	sends   []int32 // in the order of the Sent events
	orders  int32   // how many were given out; see orderOf

	views  []*view
	byName map[viewName]int32
	latest map[string]int32 // the latest view of each client
	active int32            // the view that had the last event

	barriers []int
	stops    []int // ServerStopped
	down     bool  // the server has stopped, and not started since
	replaced int   // the last DataReplaced; 0 for none
	faults   map[string]firing

	reading []row // rows with no LogRead yet
	log     []row
	hasLog  bool
	awaits  []await
	resent  []resending
	// keepsLog: the log was meant to be read.
	keepsLog bool
	// noEcho: a view is not owed what was sent there.
	noEcho bool
	// offsets holds, beside message.offset, every other offset that a message was
	// shown with, and who showed it first.
	offsets map[shownOffset]sighting
}

type viewName struct {
	client string
	number int
}

// A message is everything known of one text.
type message struct {
	text         string
	sentAt       int // never, if nobody sent it
	acknowledged int
	refused      int
	shown        int   // its first sight anywhere
	found        int32 // rows before the run
	place        int32 // in Checker.inSight, or -1
	sender       int32 // the view that sent it
	order        int32 // which of the orders of messages it belongs to; see orderOf
	firstView    int32 // the view that showed it first
	offset       int64 // the first one that it was shown with
	// ambiguous: the text stands for two messages.
	ambiguous bool
}

func (m *message) isSent() bool { return m.sentAt != never }

// isRefused: the server said no, and never yes.
func (m *message) isRefused() bool { return m.refused != never && m.acknowledged == never }

func (m *message) isAcknowledged() bool { return m.acknowledged != never }

func (m *message) isShown() bool { return m.place >= 0 }

// A row is one row of the log.
type row struct {
	message int32
	event   int
	offset  int64
}

// A resending is of a message to a view that had been sent it before.
type resending struct {
	view, message int32
	event         int
}

type shownOffset struct {
	message int32
	offset  int64
}

type sighting struct {
	view  int32
	event int
}

type firing struct{ fired, healed bool }

// NewChecker returns a Checker for one history.
func NewChecker() *Checker {
	return &Checker{
		ended:   never,
		byText:  map[string]int32{},
		byName:  map[viewName]int32{},
		latest:  map[string]int32{},
		faults:  map[string]firing{},
		offsets: map[shownOffset]sighting{},
	}
}

// Add takes the next event of the history.
func (c *Checker) Add(e history.Event) {
	event := c.events
	c.events++
	if e.Kind == history.Shown { // by far the most frequent
		c.show(&e, event)
		return
	}
	switch e.Kind {
	case history.TimedOut:
		c.awaits = append(c.awaits, await{event, cmp.Or(e.Detail, "something"), e.Client, e.Message})
	case history.Began:
		c.began, c.level, c.keepsLog, c.noEcho = true, e.Level, e.KeepsLog, e.NoEcho
		if e.Plan != nil {
			c.plan = *e.Plan
		}
	case history.Ended:
		c.ended = event
		c.barriers = append(c.barriers, event)
	case history.Barrier:
		if e.Client == "" { // one for a single client says nothing of the others
			c.barriers = append(c.barriers, event)
		}
	case history.ServerStopped:
		c.stops, c.down = append(c.stops, event), true
	case history.ServerStarted:
		c.down = false
	case history.DataReplaced:
		c.replaced = event
	case history.FaultFired:
		c.faults[e.Fault] = firing{fired: true, healed: c.faults[e.Fault].healed}
	case history.FaultHealed:
		c.faults[e.Fault] = firing{fired: c.faults[e.Fault].fired, healed: true}
	case history.Opened, history.Closed, history.Connected, history.Disconnected:
		c.page(&e, event)
	case history.Sent, history.Acknowledged, history.Refused:
		c.send(&e, event)
	case history.Found, history.Stored, history.LogRead:
		c.read(&e, event)
	case history.Repeated:
		c.resent = append(c.resent, resending{c.viewOf(e.Client, e.View), c.messageOf(e.Message), event})
	}
}

func (c *Checker) page(e *history.Event, event int) {
	v := c.views[c.viewOf(e.Client, e.View)]
	v.isPage = true
	switch e.Kind {
	case history.Opened:
		v.after, v.opened = e.Offset, event
	case history.Closed:
		v.close(event, e.At)
	case history.Connected:
		v.connect(connection{from: event, fromTime: e.At, recovered: e.Recovered, origin: c.originOf(v, e)})
	case history.Disconnected:
		v.disconnect(event, e.At, e.Detail)
	}
	// A client has one page at a time: the next one ends the one before.
	if latest, ok := c.latest[e.Client]; !ok || c.views[latest].number < e.View {
		if ok {
			c.views[latest].close(event, e.At)
		}
		c.latest[e.Client] = c.byName[viewName{e.Client, e.View}]
	}
}

// originOf says of which server it is that the view is told now that it is connected. Its
// attempt is as old as the end of its last connection, or its page; where a server has
// ended since then, the answer may have been on its way for as long.
func (c *Checker) originOf(v *view, e *history.Event) origin {
	stopped := len(c.stops) > 0 && c.stops[len(c.stops)-1] > v.attempt()
	switch {
	case c.down, stopped && e.Recovered: // the next server knows no session
		return ended
	case stopped:
		return doubtful
	}
	return running
}

func (c *Checker) send(e *history.Event, event int) {
	m := &c.messages[c.messageOf(e.Message)]
	switch e.Kind {
	case history.Sent:
		if m.isSent() || m.found > 0 {
			m.ambiguous = true
			return
		}
		m.sentAt, m.sender = event, c.viewOf(e.Client, e.View)
		m.order = c.orderOf(c.views[m.sender])
		c.sends = append(c.sends, c.byText[e.Message])
	case history.Acknowledged:
		m.acknowledged = min(m.acknowledged, event)
	case history.Refused:
		m.refused = min(m.refused, event)
	}
}

// orderOf returns the order that what the view sends now is to keep. Below
// client-delivery a view has one for each connection, as Socket.IO keeps none over two:
// the server may still be at work on what came over the one before. What is said
// offline belongs to the connection that is made next.
func (c *Checker) orderOf(v *view) int32 {
	ended := v.ended
	if c.level.AtLeast(contract.ClientDelivery) {
		ended = 0 // one message is under way at a time
	}
	if v.order < 0 || v.orderOf != ended {
		v.order, v.orderOf = c.orders, ended
		c.orders++
	}
	return v.order
}

func (c *Checker) read(e *history.Event, event int) {
	switch e.Kind {
	case history.Found:
		// The lab's own mark is sent before the log is read, and found in it.
		if m := &c.messages[c.messageOf(e.Message)]; !m.isSent() {
			m.found++
		}
	case history.Stored:
		c.reading = append(c.reading, row{c.messageOf(e.Message), event, e.Offset})
	case history.LogRead:
		c.log, c.reading, c.hasLog = c.reading, nil, true
	}
}

// show is the only thing that happens for every message on every page, so it
// guesses before it looks anything up: views take turns in the order of the last
// time, and a view shows next what others have shown next.
func (c *Checker) show(e *history.Event, event int) {
	index := c.viewOf(e.Client, e.View)
	v := c.views[index]
	place := v.next()
	var m *message
	if int(place) < len(c.inSight) {
		m = &c.messages[c.inSight[place]]
	}
	if m == nil || m.text != e.Message {
		id := c.messageOf(e.Message)
		m = &c.messages[id]
		if !m.isShown() {
			m.place, m.shown, m.firstView = int32(len(c.inSight)), event, index
			c.inSight = append(c.inSight, id)
		}
	}
	v.show(m.place, event)
	if e.Offset != 0 && e.Offset != m.offset {
		c.showOffset(c.inSight[m.place], e.Offset, sighting{index, event})
	}
}

func (c *Checker) showOffset(id int32, offset int64, by sighting) {
	if c.messages[id].offset == 0 {
		c.messages[id].offset = offset
	}
	key := shownOffset{id, offset}
	if _, known := c.offsets[key]; !known {
		c.offsets[key] = by
	}
}

// viewOf returns the index of the client's view, new if need be.
func (c *Checker) viewOf(client string, number int) int32 {
	if len(c.views) > 0 {
		guess := c.views[c.active].follower
		if v := c.views[guess]; v.number == number && v.client == client {
			c.active = guess
			return guess
		}
	}
	name := viewName{client, number}
	index, known := c.byName[name]
	if !known {
		index = int32(len(c.views))
		c.byName[name] = index
		c.views = append(c.views, &view{
			client: client, number: number, follower: index, closed: never, highest: -1, order: -1,
		})
	}
	c.views[c.active].follower = index
	c.active = index
	return index
}

// messageOf returns the index of the message with the text, new if need be.
func (c *Checker) messageOf(text string) int32 {
	id, known := c.byText[text]
	if !known {
		id = int32(len(c.messages))
		c.byText[text] = id
		c.messages = append(c.messages, message{
			text: text, sentAt: never, acknowledged: never, refused: never, shown: never, place: -1, sender: -1, firstView: -1,
		})
	}
	return id
}
