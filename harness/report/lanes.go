package report

import (
	"fmt"
	"slices"
	"strings"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// Columns of the drawing: the number of the event, then the lanes from lanesLeft on. The last
// lane has room for a label on its right.
const (
	lanesLeft  = 13
	lanesMost  = 4
	lanesApart = 24
	lastLabel  = 17
)

// lanes draws the excerpt from top to bottom, with a column for each page that it concerns and
// one for the server, and a row for each event. Messages are arrows between columns, named by
// a letter.
func (x excerpt) lanes(s Style) []string {
	if x.f == nil {
		return nil
	}
	d := laneDrawing{excerpt: x, style: s, state: map[string]rune{}}
	d.known = slices.ContainsFunc(x.Events, func(e history.Event) bool { return x.isAbout(e) && e.Kind != history.Sent })
	d.arrange()
	if len(d.names) < 2 {
		return nil
	}
	lines := d.legend()
	header := ""
	for k, name := range d.names {
		header = pad(header, d.x(k)) + Clip(Visible(name), d.apart-2)
	}
	lines = append(lines, header)
	for i := range x.Events {
		d.pass(i)
		if slices.Contains(x.chosen, i) {
			lines = append(lines, d.row(i)...)
		}
		if i == x.missing {
			lines = append(lines, d.lack())
		}
	}
	return lines
}

type laneDrawing struct {
	excerpt
	style Style
	names []string // of the lanes; the server's is at serverAt
	apart int
	// state is the rune that each lane currently has: connected, disconnected or closed.
	state map[string]rune
	// known is true if the message was seen anywhere but at its sender.
	known bool
}

// serverAt is the server's lane: the sender is on its left, the other pages on its right.
const serverAt = 1

func (d *laneDrawing) arrange() {
	var clients []string
	add := func(client string) {
		if client != "" && client != plan.Reader && len(clients) < lanesMost-1 && !slices.Contains(clients, client) {
			clients = append(clients, client)
		}
	}
	for _, message := range []string{d.f.Message, d.f.Other} {
		for _, i := range d.chosen {
			if e := d.Events[i]; e.Kind == history.Sent && history.Same(e.Message, message) {
				add(e.Client)
			}
		}
	}
	add(d.f.Client)
	for _, i := range d.chosen {
		if e := d.Events[i]; e.Kind != history.Stored {
			add(e.Client)
		}
	}
	if len(clients) == 0 {
		return
	}
	d.names = slices.Insert(clients, serverAt, "server")
	d.apart = min(lanesApart, (d.style.columns()-lanesLeft-lastLabel)/(len(d.names)-1))
	d.state["server"] = '│'
}

func (d *laneDrawing) x(lane int) int { return lanesLeft + 1 + lane*d.apart }

// letter returns the short name of a message, since a text would not fit on an arrow.
func (d *laneDrawing) letter(message string) string {
	switch {
	case history.Same(message, d.f.Message):
		return "A"
	case history.Same(message, d.f.Other):
		return "B"
	}
	return ""
}

func (d *laneDrawing) legend() []string {
	line := fmt.Sprintf("  %-9s  ", "lanes")
	for _, message := range []string{d.f.Message, d.f.Other} {
		if message != "" {
			line += d.letter(message) + " is " + quoted(message, d.style.columns()/2-24) + "   "
		}
	}
	return []string{strings.TrimRight(line, " ")}
}

// pass updates the state of a lane, for the rows that follow.
func (d *laneDrawing) pass(i int) {
	e := d.Events[i]
	switch e.Kind {
	case history.Opened, history.Disconnected:
		d.state[e.Client] = '┊'
	case history.Connected:
		d.state[e.Client] = '│'
	case history.Closed:
		d.state[e.Client] = ' '
	case history.ServerStopped:
		if e.Node == "" {
			d.state["server"] = ' '
		}
	case history.ServerStarted:
		d.state["server"] = '│'
	}
}

func (d *laneDrawing) row(i int) []string {
	e := d.Events[i]
	lane := slices.Index(d.names, e.Client)
	letter := d.letter(e.Message)
	r := d.blank(fmt.Sprint(d.index(i) + 1))
	switch e.Kind {
	case history.ServerStarted, history.ServerStopped, history.DataReplaced, history.Stored:
		lane = serverAt
	case history.FaultFired, history.FaultHealed:
		if e.Client == "" {
			lane = serverAt
		}
	}
	if lane < 0 {
		return nil
	}
	switch e.Kind {
	case history.Opened:
		r.point(lane, '○', "page loaded")
	case history.Connected:
		label := "connected"
		if d.wasConnected(i) {
			label = "reconnected"
		}
		r.point(lane, '●', label)
	case history.Disconnected:
		r.point(lane, '○', "disconnected")
	case history.Suspended, history.Resumed:
		r.point(lane, '○', string(e.Kind))
	case history.Closed:
		r.point(lane, '○', "page left")
	case history.FaultFired:
		r.point(lane, '╳', string(e.FaultKind))
	case history.FaultHealed:
		r.point(lane, '○', string(e.FaultKind)+" over")
	case history.ServerStarted:
		r.point(lane, '●', "running")
	case history.ServerStopped:
		r.point(lane, '╳', e.Detail)
	case history.DataReplaced:
		r.point(lane, '╳', "data deleted")
	case history.Stored:
		r.point(lane, '■', letter+" in the log")
	case history.Sent:
		switch {
		case d.state[e.Client] != '│':
			r.point(lane, '●', letter+" sent offline")
		default:
			r.arrow(lane, serverAt, letter, d.known || letter != "A")
		}
	case history.Acknowledged:
		r.arrow(serverAt, lane, "ack "+letter, true)
	case history.Refused:
		r.arrow(serverAt, lane, "no to "+letter, true)
	case history.Shown:
		r.arrow(serverAt, lane, letter, true)
	case history.Removed:
		r.point(lane, '○', "without "+letter)
	case history.Repeated:
		r.arrow(serverAt, lane, letter+" again", true)
	default:
		return nil
	}
	line := r.String()
	switch {
	case i == d.f.Event && d.missing < 0:
		line = d.style.paint(red, line)
	case e.Kind == history.FaultFired || e.Kind == history.ServerStopped:
		line = d.style.paint(yellow, line)
	}
	return []string{line}
}

func (d *laneDrawing) lack() string {
	r := d.blank("")
	lane := slices.Index(d.names, d.f.Client)
	if lane < 0 { // the finding's client has no lane
		lane = serverAt
	}
	switch d.f.Anomaly {
	case check.Unstored:
		r.point(serverAt, '✗', "A not in the log")
	case check.Late:
		r.point(lane, '✗', "not connected")
	default:
		r.point(lane, '✗', "A is missing")
	}
	return d.style.paint(red, r.String())
}

func (d *laneDrawing) wasConnected(i int) bool {
	return slices.ContainsFunc(d.Events[:i], func(e history.Event) bool {
		return e.Kind == history.Connected && e.Client == d.Events[i].Client && e.View == d.Events[i].View
	})
}

type laneRow struct {
	d     *laneDrawing
	cells []rune
}

// blank is a row with only the states of the lanes.
func (d *laneDrawing) blank(number string) laneRow {
	r := laneRow{d, []rune(strings.Repeat(" ", d.style.columns()))}
	r.put(lanesLeft-2-len(number), number)
	for k, name := range d.names {
		if state := d.state[name]; state != 0 {
			r.cells[d.x(k)] = state
		}
	}
	return r
}

func (r laneRow) put(at int, text string) {
	for _, c := range text {
		if at < len(r.cells) {
			r.cells[at] = c
		}
		at++
	}
}

func (r laneRow) point(lane int, sign rune, label string) {
	r.cells[r.d.x(lane)] = sign
	r.put(r.d.x(lane)+2, Clip(Visible(label), r.d.apart-3))
}

// arrow draws a message between two lanes. It ends half-way if the history does not show how
// far the message came.
func (r laneRow) arrow(from, to int, label string, arrives bool) {
	a, b := r.d.x(from), r.d.x(to)
	step, begin, head := 1, '├', '►'
	if b < a {
		step, begin, head = -1, '┤', '◄'
	}
	last := b - step
	if !arrives {
		last, head = a+step*r.d.apart*3/4, '?'
	}
	r.cells[a] = begin
	for x := a + step; x != last; x += step {
		r.cells[x] = '─'
	}
	r.cells[last] = head
	middle := a + step*r.d.apart/2
	r.put(middle-(len(label)+2)/2, " "+label+" ")
}

func (r laneRow) String() string { return strings.TrimRight(string(r.cells), " ") }
