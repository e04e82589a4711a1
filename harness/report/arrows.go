package report

import (
	"cmp"
	"fmt"
	"math"
	"strconv"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// arrows draws every frame, or the messages if there are no frames. Frames without a message
// come first, so that the others are drawn over them.
func (st *stage) arrows() {
	if len(st.Traffic.Frames) == 0 {
		st.estimatedArrows()
		return
	}
	for _, quiet := range []bool{true, false} {
		for _, i := range st.frames {
			if (len(st.carried[i]) == 0) == quiet {
				st.frame(i)
			}
		}
	}
}

func (st *stage) frame(i int) {
	f := st.Traffic.Frames[i]
	client := st.lanes[st.lane("client:"+f.Client)]
	server := st.lanes[st.serverOf(f.Client, f.Left)]
	from, to := client, server
	if f.Direction == plan.Down {
		from, to = server, client
	}
	x0, x1 := st.x(f.Left), st.x(f.At)
	messages := st.carried[i]
	packet := Packet(f)
	class, title := "packet packet-"+packet, st.frameTitle(f, packet)
	attributes := []any{"data-kind", "frame", "data-frame", i, "data-client", f.Client, "data-lane", client.id,
		"data-connection", f.Connection, "data-direction", string(f.Direction), "data-number", f.Number, "data-overall", f.Overall,
		"data-packet", packet, "data-left", int64(f.Left), "data-at", int64(f.At)}
	outside := false
	if len(messages) > 0 {
		message, sender := messages[0], ""
		if f.Direction == plan.Up {
			sender = f.Client
		}
		class = "packet carries"
		if IsBarrier(message) {
			class += " barrier"
		}
		attributes = append(attributes, "data-message", message)
		sent := st.sentBy(message, sender, f.Left)
		var where string
		outside, where = st.isElsewhere(sent)
		title = join(" · ", title, where)
		if sent >= 0 {
			attributes = append(attributes, "data-sent", sent)
		}
		if !outside && f.Direction == plan.Up {
			x0 = st.waits(sent, st.marks[sent], x0)
		}
		class += st.blamed(message, f.Client, f.Direction)
		if f.Direction == plan.Down {
			x1 = st.shownAt(f, message, x1)
		}
	}
	if outside {
		class += " elsewhere"
	}
	if f.Lost {
		class += " gone"
		if st.isLost(f.Client, messages) {
			class += " bad"
		}
		title += " · " + st.Language.Word("lost on its way")
	}
	st.open("g", append([]any{"class", class}, attributes...)...)
	st.title(title)
	st.arrow(x0, st.edge(from, to), x1, st.edge(to, from), f.Lost, outside)
	st.body.WriteString("</g>\n")
}

// isElsewhere reports whether a message's Sent event is outside the drawing, and names the
// time at which it was.
func (st *stage) isElsewhere(sent int) (outside bool, where string) {
	if sent < 0 {
		return true, st.Language.Word("not sent here")
	}
	if _, drawn := st.marks[sent]; !drawn {
		return true, st.Language.Word("sent earlier", clock(st.Events[sent].At))
	}
	return false, ""
}

// blamed is the class of an arrow whose delivery broke a rule.
func (st *stage) blamed(message, client string, direction plan.Direction) string {
	for _, f := range st.Findings {
		if direction == plan.Down && f.Client == client && f.Anomaly != check.Lost && f.Anomaly != check.Late && history.Same(f.Message, message) {
			return " bad"
		}
	}
	return ""
}

// edge is the y at which an arrow touches a lane.
func (st *stage) edge(of, other stageLane) float64 {
	if of.kind != serverLane {
		return of.y
	}
	if other.y < of.y {
		return of.y - 8
	}
	return of.y + 8
}

// arrow draws a line with a head. A lost frame ends half-way with a cross; a message that was
// sent outside the drawing begins with a ring and has an open head.
func (c *canvas) arrow(x0, y0, x1, y1 float64, lost, outside bool) {
	if lost {
		x1, y1 = x0+(x1-x0)*0.55, y0+(y1-y0)*0.55
	}
	line := fmt.Sprintf("M%.1f %.1fL%.1f %.1f", x0, y0, x1, y1)
	c.body.WriteString(`<path class="hit" d="` + line + `"/>`)
	length := cmp.Or(math.Hypot(x1-x0, y1-y0), 1)
	ux, uy := (x1-x0)/length, (y1-y0)/length
	head := ""
	if !lost {
		const size = 6
		ax, ay := x1-size*ux, y1-size*uy
		head = fmt.Sprintf("M%.1f %.1fL%.1f %.1fL%.1f %.1f", ax-uy*size*0.5, ay+ux*size*0.5, x1, y1, ax+uy*size*0.5, ay-ux*size*0.5)
		if !outside {
			head += "z"
		}
	}
	c.body.WriteString(`<path class="arrow" d="` + line + `"/>`)
	if head != "" {
		c.body.WriteString(`<path class="head" d="` + head + `"/>`)
	} else {
		c.body.WriteString(`<path class="lost-end" d="` + crossPath(x1, y1, 4) + `"/>`)
	}
	if outside {
		c.element("circle", "class", "tail", "cx", x0, "cy", y0, "r", 3.2)
	}
}

// waits draws the time that a message spends in the client's buffer before it is sent, and
// returns where its arrow begins.
func (st *stage) waits(sent int, mark, left float64) float64 {
	if left-mark < 10 {
		return max(mark, left)
	}
	e := st.Events[sent]
	l := st.lanes[st.lane("client:"+e.Client)]
	y := l.y - l.towards*7
	st.open("g", "data-kind", "waits", "data-event", sent, "data-client", e.Client, "data-lane", l.id, "data-message", e.Message, "data-at", int64(e.At))
	st.title(quoted(e.Message, 60) + ": " + st.Language.Word("waits"))
	st.element("path", "class", "waits", "d", fmt.Sprintf("M%.1f %.1fV%.1fH%.1fV%.1f", mark, l.y, y, left, l.y))
	st.body.WriteString("</g>\n")
	return left
}

// shownAt is where the arrow of a message ends: at its Shown sign, if the sign was moved only
// because others stand beside it.
func (st *stage) shownAt(f history.Frame, message string, x float64) float64 {
	isIt := history.Is(message)
	for _, i := range st.events {
		e := st.Events[i]
		if e.Client == f.Client && e.At >= f.At && (e.Kind == history.Shown || e.Kind == history.Repeated) && isIt(e.Message) {
			if mark := st.marks[i]; mark >= x && mark-x < 24 && st.x(e.At)-x < 3 {
				return mark
			}
			return x
		}
	}
	return x
}

func (st *stage) isLost(client string, messages []string) bool {
	for _, f := range st.Findings {
		for _, m := range messages {
			if (f.Anomaly == check.Unstored || f.Anomaly == check.Lost && (f.Client == client || f.Client == "")) && history.Same(f.Message, m) {
				return true
			}
		}
	}
	return false
}

func (st *stage) frameTitle(f history.Frame, packet string) string {
	words := st.Language
	direction := "up"
	if f.Direction == plan.Down {
		direction = "down"
	}
	return join(" · ", clock(f.Left)+" → "+clock(f.At), Visible(f.Client), words.Word("packet "+packet),
		words.Word("frame", f.Number, words.Word(direction), f.Connection), words.Word("bytes", f.Size), Clip(Visible(f.Text), 120))
}

// estimatedArrows draws arrows from events alone: up when a message was sent, down when it was
// shown. The time at the server is unknown, so it is taken to be half-way.
func (st *stage) estimatedArrows() {
	first := map[int]float64{} // x at the server, by Sent event
	for i, e := range st.Events {
		if e.Kind != history.Shown && e.Kind != history.Acknowledged {
			continue
		}
		sent := st.sentBy(e.Message, "", e.At)
		if _, known := first[sent]; sent >= 0 && !known && st.scaled.has(st.Events[sent].At) {
			first[sent] = (st.markOf(sent) + st.markOf(i)) / 2
		}
	}
	for _, i := range st.events {
		e := st.Events[i]
		if e.Kind != history.Sent && e.Kind != history.Shown {
			continue
		}
		client, server := st.lanes[st.laneOf(e)], st.lanes[st.serverOf(e.Client, e.At)]
		sent, title := i, st.eventTitle(e)+" · "+st.Language.Word("estimated")
		class, outside := "packet carries estimated", false
		x0, x1, from, to, lost := st.markOf(i), first[i], client, server, false
		if e.Kind == history.Shown {
			from, to, x1 = server, client, st.markOf(i)
			sent = st.sentBy(e.Message, "", e.At)
			x0 = x1 - 14
			if at, known := first[sent]; known && x1-at < 60 {
				x0 = at
			}
			x0 = max(st.Left, x0)
			var where string
			outside, where = st.isElsewhere(sent)
			title = join(" · ", title, where)
			class += st.blamed(e.Message, e.Client, plan.Down)
		} else if _, known := first[i]; !known {
			x1, lost = x0+20, true
			class += " unknown"
			title += " · " + st.Language.Word("how far")
			if st.isLost("", []string{e.Message}) {
				class += " bad"
			}
		}
		if IsBarrier(e.Message) {
			class += " barrier"
		}
		attributes := []any{"data-kind", "frame", "data-event", i, "data-client", e.Client, "data-lane", client.id,
			"data-message", e.Message, "data-at", int64(e.At)}
		if sent >= 0 {
			attributes = append(attributes, "data-sent", sent)
		}
		if outside {
			class += " elsewhere"
		}
		st.open("g", append([]any{"class", class}, attributes...)...)
		st.title(title)
		st.arrow(x0, st.edge(from, to), x1, st.edge(to, from), lost, outside)
		st.body.WriteString("</g>\n")
	}
}

// markOf is the x of an event, also if it is not drawn.
func (st *stage) markOf(i int) float64 {
	if x, drawn := st.marks[i]; drawn {
		return x
	}
	return st.x(st.timeOf(i))
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }
