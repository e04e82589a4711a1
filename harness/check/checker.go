package check

import (
	"cmp"
	"slices"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// Judge returns the verdict on the events of one run.
func Judge(events []history.Event) Verdict { return JudgeAt("", events) }

// Beyond returns the verdict at the weakest stronger level at which the events fail: what
// went wrong although the level does not promise it. Its outcome is empty if every level
// passes.
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

// JudgeAt judges the events by another level than the one that the history names. An empty
// level stands for the history's own.
func JudgeAt(level contract.Level, events []history.Event) Verdict {
	c := NewChecker()
	for _, e := range events {
		e.Level = cmp.Or(level, e.Level) // only that of Began is read
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
	byText   map[string]int32 // by each text of a message, and by its identity
	// firstShown holds the messages in the order in which any page first showed them; an
	// index into it is a message's place.
	firstShown []int32
	sends      []int32 // in the order of the Sent events
	orders     int32   // the number of orders so far; see orderOf

	views  []*view
	byName map[viewName]int32
	latest map[string]int32 // the latest view of each client
	active int32            // the view of the last event

	barriers []int
	stops    []int                  // the ServerStopped events
	down     bool                   // the server has stopped and has not started again
	servers  map[string]serverState // by name
	first    string                 // the server that was started first
	replaced int                    // the last DataReplaced; 0 for none
	// fired and healed have the faults that the history has, by their IDs.
	fired, healed map[string]bool

	reading []row // rows with no LogRead yet
	log     []row
	hasLog  bool
	awaits  []await
	resent  []resending
	// keepsLog and noEcho are copied from the Began event.
	keepsLog, noEcho bool
	// offsets holds every offset that a message was shown with since the last DataReplaced, and
	// who showed it first.
	offsets map[shownOffset]sighting
}

type viewName struct {
	client string
	number int
}

// A message is everything that is known about one text.
type message struct {
	text         string // as in the first event that has it
	sentAt       int    // the event, or never
	acknowledged int
	refused      int
	shown        int   // the first event that shows it on any page
	found        int32 // the number of rows before the run
	place        int32 // the index in Checker.firstShown, or -1
	sender       int32 // the view that sent it
	order        int32 // see orderOf
	firstView    int32 // the view that showed it first
	offset       int64 // the last offset that showOffset took: it needs no second look-up
	ambiguous    bool  // the text stands for two messages
}

func (m *message) isSent() bool { return m.sentAt != never }

// isRefused reports whether the server refused the message and never acknowledged it.
func (m *message) isRefused() bool { return m.refused != never && m.acknowledged == never }

func (m *message) isAcknowledged() bool { return m.acknowledged != never }

func (m *message) isShown() bool { return m.place >= 0 }

type row struct {
	message int32
	event   int
	offset  int64
}

// A resending is an event Repeated: the server sent a view a message for the second time.
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

// NewChecker returns a Checker for one history.
func NewChecker() *Checker {
	return &Checker{
		ended:   never,
		byText:  map[string]int32{},
		byName:  map[viewName]int32{},
		latest:  map[string]int32{},
		servers: map[string]serverState{},
		fired:   map[string]bool{},
		healed:  map[string]bool{},
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
		c.barrier(event)
	case history.Barrier:
		c.barrier(event)
	case history.ServerStopped:
		c.stops, c.down = append(c.stops, event), true
		state := stopped
		if e.Detail == "paused" {
			state = paused
		}
		c.server(e.Node, state)
		for _, v := range c.views { // until the next barrier, if it still serves the view
			v.doubtFrom(event, e.At)
		}
	case history.ServerStarted:
		c.down = false
		c.server(e.Node, serving)
	case history.DataReplaced:
		c.replaced = event
		clear(c.offsets) // they were those of the log before
		for i := range c.messages {
			c.messages[i].offset = 0
		}
	case history.FaultFired:
		c.fired[e.Fault] = true
		for _, v := range c.views {
			if c.isCutOff(v.client) {
				v.doubtFrom(event, e.At)
			}
		}
	case history.FaultHealed:
		c.healed[e.Fault] = true
	case history.Opened, history.Closed, history.Connected, history.Disconnected, history.Suspended, history.Resumed:
		c.page(&e, event)
	case history.Sent, history.Acknowledged, history.Refused:
		c.send(&e, event)
	case history.Found, history.Stored, history.LogRead:
		c.read(&e, event)
	case history.Removed:
		c.views[c.viewOf(e.Client, e.View)].remove(c.messageOf(e.Message), event)
	case history.Repeated:
		c.resent = append(c.resent, resending{c.viewOf(e.Client, e.View), c.messageOf(e.Message), event})
	}
}

func (c *Checker) page(e *history.Event, event int) {
	v := c.views[c.viewOf(e.Client, e.View)]
	v.isPage = true
	switch e.Kind {
	case history.Opened:
		v.opened = event
	case history.Closed:
		v.close(event, e.At)
	case history.Connected:
		v.connect(connection{from: event, fromTime: e.At, recovered: e.Recovered, origin: c.originOf(v, e)})
		if c.isBlocked(v) { // it connected before the block, and the event came after it
			v.doubtFrom(event, e.At)
		}
	case history.Disconnected:
		v.disconnect(event, e.At, e.Detail)
	case history.Suspended:
		v.suspended = true
		v.doubtFrom(event, e.At)
	case history.Resumed:
		v.suspended = false
	}
	// A client has one page at a time, so a new view ends the one before.
	if latest, ok := c.latest[e.Client]; !ok || c.views[latest].number < e.View {
		if ok {
			c.views[latest].close(event, e.At)
		}
		c.latest[e.Client] = c.byName[viewName{e.Client, e.View}]
	}
}

// originOf finds the server that answered the view's attempt to connect. The attempt may be
// as old as the end of the view's last connection, or the page itself. If a server ended
// since then, the answer may be a delayed one of that server.
func (c *Checker) originOf(v *view, e *history.Event) origin {
	stopped := len(c.stops) > 0 && c.stops[len(c.stops)-1] > v.attempt()
	switch {
	case c.down, stopped && e.Recovered: // a restarted server has no session to recover
		return ended
	case stopped:
		return uncertain
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

// orderOf returns the order to which a message that the view sends now belongs: messages of
// one order have to stay in the order sent. Below client-delivery each connection has an order
// of its own, because Socket.IO keeps none over two connections: the server may still be
// processing messages of the first. A message that is sent offline belongs to the next
// connection.
func (c *Checker) orderOf(v *view) int32 {
	ended := v.ended
	if c.level.AtLeast(contract.ClientDelivery) {
		ended = 0 // a page has one message in flight at a time
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
		// The lab sends its own mark before it reads the log, and finds it there.
		if m := &c.messages[c.messageOf(e.Message)]; !m.isSent() {
			m.found++
		}
	case history.Stored:
		c.reading = append(c.reading, row{c.messageOf(e.Message), event, e.Offset})
	case history.LogRead:
		c.log, c.reading, c.hasLog = c.reading, nil, true
	}
}

// show runs for every message on every page, so it avoids map lookups: it guesses that the
// views show a message in the order of last time, and that a view shows the messages in the
// order in which other views showed them.
func (c *Checker) show(e *history.Event, event int) {
	index := c.viewOf(e.Client, e.View)
	v := c.views[index]
	place := v.next()
	var m *message
	if int(place) < len(c.firstShown) {
		m = &c.messages[c.firstShown[place]]
	}
	if m == nil || m.text != e.Message {
		id := c.messageOf(e.Message)
		m = &c.messages[id]
		if !m.isShown() {
			m.place, m.shown, m.firstView = int32(len(c.firstShown)), event, index
			c.firstShown = append(c.firstShown, id)
		}
	}
	v.show(m.place, event)
	if e.Offset != 0 && e.Offset != m.offset {
		c.showOffset(c.firstShown[m.place], e.Offset, sighting{index, event})
	}
}

func (c *Checker) showOffset(id int32, offset int64, by sighting) {
	c.messages[id].offset = offset
	key := shownOffset{id, offset}
	if _, known := c.offsets[key]; !known {
		c.offsets[key] = by
	}
}

// viewOf returns the index of the client's view, which it creates if necessary.
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

// messageOf returns the index of the message with the text, which it creates if necessary. It
// looks for the letters first, because to find the identity of JSON takes much longer.
func (c *Checker) messageOf(text string) int32 {
	if id, known := c.byText[text]; known {
		return id
	}
	identity := history.Identity(text)
	id, known := c.byText[identity]
	if !known {
		id = int32(len(c.messages))
		c.byText[identity] = id
		c.messages = append(c.messages, message{
			text: text, sentAt: never, acknowledged: never, refused: never, shown: never, place: -1, sender: -1, firstView: -1,
		})
	}
	c.byText[text] = id
	return id
}
