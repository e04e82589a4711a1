// Package picture draws for the pages: a run as a sequence diagram, and measurements as a plot.
//
// Read [Sequence] first. Both are SVG files with a light and a dark set of colours in one file.
// Their words, and the marks for anomalies, are package report's, so that a report looks the
// same. Terms of the protocol are not translated.
//
// A drawing of package report shows a whole run, for a reader who searches for a cause. A
// picture here shows one sequence from top to bottom and fits a phone. picture imports
// histories and verdicts, and must not know labs or pages.
package picture

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/report"
)

//go:embed picture.css
var style string

// Measures, in pixels. A picture with three lanes fits the width of a phone.
const (
	gutter   = 47.0 // for the times
	margin   = 44.0 // right of the last lifeline
	headWide = 66.0
	rowHigh  = 27.0
	headHigh = 34.0
	letter   = 5.9 // the width of an average letter
)

// laneWide returns the distance between two lifelines.
func laneWide(lanes int) float64 {
	switch {
	case lanes <= 3:
		return 132
	case lanes == 4:
		return 108
	}
	return 98
}

// The limits of a picture. It explains a kind of fault, so it needs no complete list of
// events.
const (
	wrongDrawn = 5
	lostDrawn  = 4
)

// Sequence draws the history. It leaves out the messages that the lab sends at a barrier; of
// a burst it draws only the first message, the last one and those that went wrong. name is
// the text alternative of the picture.
func Sequence(language report.Language, name string, events []history.Event, findings []check.Finding) string {
	d := &diagram{events: events, language: language, lanes: map[string]int{}, missing: map[string]bool{}, wrong: map[int]check.Anomaly{}, seen: map[string]bool{},
		sent: map[string]bool{}, leads: map[string]string{}, home: map[string]string{}, signs: map[string]bool{}}
	for _, e := range events {
		if e.Kind == history.Shown || e.Kind == history.Stored {
			d.seen[e.Message] = true
		}
	}
	for _, f := range findings {
		switch f.Anomaly {
		case check.Lost, check.Unstored:
			d.missing[f.Client+"\x00"+f.Message] = true
		case check.Duplicated, check.Reordered, check.Phantom:
			if f.Event >= 0 && len(d.wrong) < wrongDrawn {
				d.wrong[f.Event] = f.Anomaly
			}
		}
	}
	d.arrange()
	d.rows()
	return d.svg(name)
}

type diagram struct {
	events   []history.Event
	language report.Language
	lane     float64
	// lanes holds the position of each client, and of each server under serverLane.
	lanes map[string]int
	names []string
	// leads holds the server at the end of each client's link, and home the server that the
	// client was last connected to. They differ only if there are several servers.
	leads, home map[string]string
	// missing holds the messages that a client should have shown, and those that were
	// acknowledged but not stored; wrong holds the events that should not have happened.
	missing map[string]bool
	wrong   map[int]check.Anomaly

	y     float64
	body  strings.Builder
	under strings.Builder // what is drawn beneath the lifelines

	up, connected map[string]float64 // start times
	fault         map[string]float64
	// seen holds the messages that any client has shown or the server has stored; sent holds
	// those whose sending is drawn already.
	seen, sent map[string]bool
	// signs holds the keys of the legend that the picture uses.
	signs map[string]bool
}

// serverLane returns a lane name that no client can have. A single server is "".
func serverLane(node string) string { return "\x00" + node }

// arrange orders the lanes: the first client, the servers, the other clients.
func (d *diagram) arrange() {
	var clients, servers []string
	for _, e := range d.events {
		if e.Client != "" && e.Client != plan.Reader && !slices.Contains(clients, e.Client) {
			clients = append(clients, e.Client)
		}
		if e.Kind == history.ServerStarted && !slices.Contains(servers, serverLane(e.Node)) {
			servers = append(servers, serverLane(e.Node))
		}
	}
	if len(servers) == 0 {
		servers = []string{serverLane("")} // one that was running before the history began
	}
	for i, c := range clients {
		if i == 1 || len(clients) == 1 && i == 0 {
			break
		}
		d.names = append(d.names, c)
	}
	d.names = append(d.names, servers...)
	for _, c := range clients {
		if !slices.Contains(d.names, c) {
			d.names = append(d.names, c)
		}
	}
	for i, c := range d.names {
		d.lanes[c] = i
	}
	d.lane = laneWide(len(d.names))
}

func (d *diagram) x(client string) float64 {
	return gutter + headWide/2 + float64(d.lanes[client])*d.lane
}

// server returns the position of a client's server.
func (d *diagram) server(client string) float64 { return d.x(serverLane(d.home[client])) }

// beside returns a position on the network between a client and its server: the middle,
// unless another server's lane is there.
func (d *diagram) beside(client string) float64 {
	from, to := d.x(client), d.server(client)
	if d.home[client] == "" {
		return (from + to) / 2
	}
	if to < from {
		return from - d.lane/2
	}
	return from + d.lane/2
}

// rows draws the events from top to bottom.
func (d *diagram) rows() {
	d.up, d.connected = map[string]float64{}, map[string]float64{}
	d.fault = map[string]float64{}
	d.y = headHigh + 8
	drawn := d.chosen()
	for i := 0; i < len(d.events); i++ {
		e := d.events[i]
		if e.Client == plan.Reader || !drawn[i] {
			continue
		}
		at := serverLane(e.Node)
		switch e.Kind {
		case history.Note:
			if e.Node != "" {
				d.leads[e.Client] = e.Node
				if d.home[e.Client] == "" {
					d.home[e.Client] = e.Node
				}
			}
		case history.ServerStarted:
			d.row(e)
			d.up[at] = d.y
			d.label(d.x(at)+9, d.y+4, "quiet", "start", d.language.Word("start"))
		case history.ServerStopped:
			d.row(e)
			d.end(d.up, at, "server", 9)
			d.cross(d.x(at), d.y)
			d.label(d.x(at)+11, d.y+4, "quiet", "start", d.stopped(e.Detail))
		case history.Opened:
			if e.View > 1 {
				d.row(e)
				d.end(d.connected, e.Client, "connected", 7)
				d.label(d.x(e.Client)+9, d.y+4, "quiet", "start", d.language.Word("view", e.View))
			}
		case history.Connected:
			d.row(e)
			text := d.language.Word("connect")
			if e.Recovered {
				text = d.language.Word("recovered")
			}
			d.signs["connect"] = true
			d.connected[e.Client] = d.y
			d.home[e.Client] = d.leads[e.Client]
			d.arrow("quiet-line", d.x(e.Client), d.server(e.Client), d.y)
			d.over(e.Client, d.y, text)
		case history.Disconnected:
			d.row(e)
			d.end(d.connected, e.Client, "connected", 7)
			d.cross(d.x(e.Client), d.y)
			d.signs["break"] = true
			d.over(e.Client, d.y+8, clip(e.Detail, d.letters()))
		case history.FaultFired:
			if e.FaultKind == plan.Heal {
				continue
			}
			d.row(e)
			d.strike(e)
		case history.FaultHealed:
			d.row(e)
			d.heal(e.Client)
			d.label(d.beside(e.Client), d.y+4, "fault-text", "middle", d.language.Word("fault heal"))
		case history.Sent:
			d.row(e)
			d.say(e)
		case history.Shown:
			i = d.show(i, drawn)
		}
	}
	d.y += rowHigh * 0.9
	d.lost()
	d.y += rowHigh * 0.4
	for _, c := range d.names {
		d.end(d.connected, c, "connected", 7)
		d.heal(c)
	}
	for _, c := range d.names {
		d.end(d.up, c, "server", 9)
	}
}

// chosen returns the events to draw: all but barriers, acknowledgements and the middle of a
// burst.
func (d *diagram) chosen() map[int]bool {
	drawn := map[int]bool{}
	spoken := map[string]int{}
	last := map[string]int{}
	for _, e := range d.events {
		if e.Kind == history.Sent {
			last[stem(e)]++
		}
	}
	in := map[string]bool{}
	for i, e := range d.events {
		if report.IsBarrier(e.Message) {
			continue
		}
		if e.Kind == history.Sent {
			spoken[stem(e)]++
			n := spoken[stem(e)]
			in[e.Message] = n <= 3 || n == last[stem(e)]
		}
		switch e.Kind {
		case history.Sent, history.Shown:
			drawn[i] = in[e.Message] || d.wrong[i] != ""
		default:
			drawn[i] = true
		}
	}
	return drawn
}

// stem returns a message without its number, which is the same for all messages of a burst.
func stem(e history.Event) string { return e.Client + strings.TrimRight(e.Message, "0123456789") }

func (d *diagram) row(e history.Event) {
	d.y += rowHigh
	d.label(gutter-8, d.y+4, "time", "end", clock(time.Duration(e.At)))
}

func clock(at time.Duration) string {
	if at < 10*time.Second {
		return fmt.Sprintf("%.3f s", at.Seconds())
	}
	return fmt.Sprintf("%.1f s", at.Seconds())
}

// say draws a message on its way to the server. Without a working connection the arrow ends
// before the server.
func (d *diagram) say(e history.Event) {
	from, to := d.x(e.Client), d.server(e.Client)
	class, text := "message", "text"
	gone := d.goneForGood(e)
	if gone {
		class, text = "message bad", "bad-text"
	}
	d.sent[e.Message] = true
	key := "message"
	if _, broken := d.fault[e.Client]; broken || gone {
		to = d.beside(e.Client)
		class += " waiting"
		key = "stuck"
	}
	d.signs[key] = true
	if gone {
		to = d.along(from, d.server(e.Client), 1-besideSign)
		d.arrow(class, from, to, d.y)
		d.sign(check.Lost, to, d.y)
		d.between(from, d.along(from, to, 1-besideSign), d.y-5, text, quoted(e.Message, d.letters()-lettersOfSign))
		return
	}
	d.arrow(class, from, to, d.y)
	d.between(from, d.server(e.Client), d.y-5, text, quoted(e.Message, d.letters()))
}

// goneForGood reports whether a message is missing and no client ever showed it: it was lost
// on the way to the server or at the server.
func (d *diagram) goneForGood(sent history.Event) bool {
	wanted := false
	for key := range d.missing {
		wanted = wanted || strings.HasSuffix(key, "\x00"+sent.Message)
	}
	return wanted && !d.seen[sent.Message]
}

// show draws a message at the pages that show it; consecutive events share a row.
func (d *diagram) show(i int, drawn map[int]bool) int {
	first := d.events[i]
	d.row(first)
	seen := map[string]bool{}
	for ; i < len(d.events); i++ {
		e := d.events[i]
		if e.Kind == history.Acknowledged || !drawn[i] {
			continue
		}
		if e.Kind != history.Shown || e.Message != first.Message || seen[e.Client] {
			break
		}
		seen[e.Client] = true
		class, text := "message", "text"
		if d.wrong[i] != "" {
			class, text = "message bad", "bad-text"
		}
		words := quoted(e.Message, d.letters())
		if e.Offset != 0 {
			offset := fmt.Sprintf(", %d", e.Offset)
			words = quoted(e.Message, d.letters()-len(offset)) + offset
		}
		until := d.x(e.Client)
		if d.wrong[i] != "" {
			until = d.along(until, d.server(e.Client), besideSign)
			words = quoted(e.Message, d.letters()-lettersOfSign)
		}
		if d.sent[e.Message] {
			d.signs["message"] = true
			d.arrow(class, d.server(e.Client), d.x(e.Client), d.y)
		} else {
			d.signs["elsewhere"] = true
			d.arrowFromElsewhere(class, d.server(e.Client), d.x(e.Client), d.y)
		}
		d.between(d.server(e.Client), until, d.y-5, text, words)
		if d.wrong[i] != "" {
			d.sign(d.wrong[i], d.x(e.Client), d.y)
		}
	}
	return i - 1
}
