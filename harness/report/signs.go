package report

import (
	"fmt"
	"slices"
	"strings"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// placeMarks places the signs. Signs of one lane and one instant stand beside each other,
// since otherwise one would hide another.
func (st *stage) placeMarks() {
	for _, i := range st.events {
		lane := st.laneOf(st.Events[i])
		x := st.x(st.timeOf(i))
		switch st.Events[i].Kind {
		case history.Sent, history.Shown, history.Removed, history.Stored, history.Found, history.Repeated, history.Refused:
			if last, ok := st.taken[lane]; ok && x < last+8 && x > last-24 {
				x = min(last+8, st.Right)
			}
			st.taken[lane] = x
		}
		st.marks[i] = x
	}
}

func (st *stage) eventMarks() {
	for _, i := range st.events {
		e := st.Events[i]
		l := st.lanes[st.laneOf(e)]
		attributes := []any{"data-kind", string(e.Kind), "data-event", i, "data-lane", l.id, "data-at", int64(st.timeOf(i))}
		if e.Client != "" {
			attributes = append(attributes, "data-client", e.Client)
		}
		if e.Message != "" {
			attributes = append(attributes, "data-message", e.Message)
		}
		if e.Offset != 0 {
			attributes = append(attributes, "data-offset", itoa64(e.Offset))
		}
		class := "event"
		if IsBarrier(e.Message) {
			class = "event barrier"
		}
		st.open("g", append([]any{"class", class}, attributes...)...)
		st.title(st.eventTitle(e))
		kind := e.Kind
		if e.FaultKind == plan.Heal { // the fault's end has a sign of its own
			kind = history.FaultHealed
		}
		st.sign(kind, st.marks[i], l.y, l.towards)
		st.body.WriteString("</g>\n")
	}
}

func (c *canvas) sign(kind history.Kind, x, y, towards float64) {
	const r = 4.4
	switch kind {
	case history.Sent:
		c.element("circle", "class", "sent", "cx", x, "cy", y, "r", r)
	case history.Shown:
		c.element("circle", "class", "shown", "cx", x, "cy", y, "r", r)
	case history.Repeated:
		c.element("circle", "class", "shown repeated", "cx", x, "cy", y, "r", r)
	case history.Removed:
		c.element("circle", "class", "shown", "cx", x, "cy", y, "r", r)
		c.element("path", "class", "struck", "d", fmt.Sprintf("M%.1f %.1fl%.1f %.1f", x-1.5*r, y+1.5*r, 3*r, -3*r))
	case history.Acknowledged:
		c.element("path", "class", "ack", "d", fmt.Sprintf("M%.1f %.1fl2.6 3l5 -7", x-4, y-towards*15+1))
	case history.Refused:
		c.element("path", "class", "refused", "d", crossPath(x, y, r))
	case history.Stored, history.Found:
		c.element("rect", "class", "stored", "x", x-4, "y", y-4, "width", 8.0, "height", 8.0, "rx", 1.5)
	case history.Connected, history.Resumed:
		c.element("path", "class", "joined", "d", fmt.Sprintf("M%.1f %.1fv14", x, y-7))
	case history.Disconnected, history.ServerStopped, history.Closed, history.Suspended:
		c.element("path", "class", "break", "d", fmt.Sprintf("M%.1f %.1fv16", x, y-8))
	case history.DataReplaced:
		c.element("path", "class", "refused", "d", crossPath(x, y, r*1.3))
	case history.FaultHealed:
		c.element("circle", "class", "healed", "cx", x, "cy", y+towards*12, "r", 3.5)
	case history.FaultFired:
		c.element("path", "class", "fault", "d", boltPath(x, y+towards*12, 9))
	}
}

func (st *stage) eventTitle(e history.Event) string {
	words := st.Language
	view, offset, message, recovered := "", "", "", ""
	if e.View > 1 {
		view = words.Word("view", e.View)
	}
	if e.Offset != 0 {
		offset = words.Word("offset", e.Offset)
	}
	if e.Message != "" {
		message = quoted(e.Message, 60)
	}
	if e.Recovered {
		recovered = words.Word("recovered")
	}
	fault := ""
	if e.FaultKind != "" {
		fault = st.faultName(e)
	}
	kind := words.Word("event " + string(e.Kind))
	return join(" · ", clock(e.At), Visible(e.Client), kind, view, message, offset, recovered, fault, Clip(Visible(words.detail(e)), 80))
}

func noteOffset(offsets map[string]int64, e history.Event) (changed bool) {
	before := offsets[e.Client]
	switch {
	case e.Kind == history.Opened:
		offsets[e.Client] = e.Offset
	case e.Kind == history.Shown && e.Offset != 0:
		offsets[e.Client] = e.Offset
	}
	return offsets[e.Client] != before
}

// eventLabels writes the labels in the order of their value, because a label is left out if
// there is no room: sent messages, then changes of connections and servers, then a page's
// offset after each change, then shown messages. Offsets are written from the last to the
// first, so that the last one stays if several are too close.
func (st *stage) eventLabels() {
	for _, i := range st.events {
		if e := st.Events[i]; e.Kind == history.Sent && !IsBarrier(e.Message) {
			st.label(i, "label strong-label", shortened(e.Message, 18))
		}
	}
	offsets := map[string]int64{}
	for _, e := range st.Events { // the pages' offsets when the window begins
		if e.At < st.scaled.From {
			noteOffset(offsets, e)
		}
	}
	var changed []int
	for _, i := range st.events {
		e := st.Events[i]
		switch e.Kind {
		case history.Connected:
			key := "connect"
			if e.Recovered {
				key = "recovered"
			}
			st.label(i, "label", st.Language.Word(key))
		case history.Disconnected:
			st.label(i, "label", st.Language.Word("disconnect"))
		case history.Opened:
			if e.View > 1 {
				st.label(i, "label", st.Language.Word("view", e.View))
			}
		case history.ServerStarted:
			st.label(i, "label", st.Language.Word("start"))
		case history.ServerStopped:
			key := e.Detail
			if _, known := drawingWords[English][key]; !known {
				key = "stop"
			}
			st.label(i, "label", st.Language.Word(key))
		case history.Stored:
			if row := itoa64(e.Offset); e.Offset != 0 && !IsBarrier(e.Message) {
				st.label(i, "label", row)
			}
		case history.Shown:
			if e.Offset != 0 && noteOffset(offsets, e) && !IsBarrier(e.Message) {
				changed = append(changed, i)
			}
		}
	}
	slices.Reverse(changed)
	for _, i := range changed {
		st.label(i, "offset-label", "#"+itoa64(st.Events[i].Offset))
	}
	for _, i := range st.events {
		if e := st.Events[i]; e.Kind == history.Shown && !IsBarrier(e.Message) {
			st.label(i, "label", shortened(e.Message, 14))
		}
	}
}

// label writes beside the sign of an event, on the side away from the server.
func (st *stage) label(i int, class, text string) bool {
	l := st.lanes[st.laneOf(st.Events[i])]
	switch {
	case l.kind == serverLane && st.narrow:
		return st.write(st.marks[i]+4, class, text, l.y+20)
	case l.kind == serverLane:
		return st.write(st.marks[i]+4, class, text, l.y-12, l.y+20)
	case l.kind == logLane:
		return st.write(st.marks[i]-3, class, text, l.y+17)
	}
	return st.write(st.marks[i]-3, class, text, l.rows()...)
}

// rows are the lines for labels, on the lane's side away from the server.
func (l stageLane) rows() []float64 {
	if l.towards < 0 {
		return []float64{l.y + 24, l.y + 37}
	}
	return []float64{l.y - 16, l.y - 29}
}

// shortened quotes a message and clips it in its middle, since messages often differ only in
// the number at their end.
func shortened(message string, columns int) string {
	const end = 4
	message = Visible(message)
	if textWidth(message) > columns {
		runes := []rune(message)
		message = Clip(message, columns-end) + string(runes[len(runes)-min(end, len(runes)):])
	}
	return `"` + message + `"`
}

// findings marks the findings at their events.
func (st *stage) findings() {
	drawn := 0
	for i, f := range st.Findings {
		lane, at, x, ok := st.findingPlace(f)
		if !ok {
			continue
		}
		if drawn == sceneFindings {
			st.left.Findings++
			continue
		}
		drawn++
		l := st.lanes[lane]
		for n := 0; n < 3 && !st.isFree(box{x - 9, l.y - 9, x + 9, l.y + 9}); n++ {
			x = max(st.Left, x-19)
		}
		st.boxes = append(st.boxes, box{x - 9, l.y - 9, x + 9, l.y + 9})
		class := "finding finding-" + strings.ReplaceAll(string(f.Anomaly), " ", "-")
		if !f.Must {
			class += " should"
		}
		name := st.Language.Anomaly(f.Anomaly)
		title := join("\n", st.Language.Word("offence", name, quoted(f.Message, 80)), st.Language.Rule(f.Rule))
		if f.Message == "" {
			title = join("\n", name, st.Language.Rule(f.Rule))
		}
		if st.Language == English {
			title = join("\n", title, Clip(Visible(f.Expected), 240), Clip(Visible(f.Observed), 160))
		}
		st.open("g", "class", class, "data-kind", "finding", "data-finding", i, "data-rule", string(f.Rule), "data-anomaly", string(f.Anomaly),
			"data-lane", l.id, "data-client", f.Client, "data-message", f.Message, "data-at", int64(at), "data-event", f.Event)
		st.title(title)
		if f.Anomaly == check.Lost && l.kind == clientLane && len(st.Traffic.Frames) == 0 {
			server := st.lanes[st.serverOf(f.Client, at)]
			st.element("line", "class", "absent", "x1", x, "x2", x, "y1", st.edge(server, l), "y2", l.y)
		}
		if st.strip {
			st.small(x, l.y, func() { st.findingSign(f.Anomaly, 0, 0) })
			st.body.WriteString("</g>\n")
			continue
		}
		st.findingSign(f.Anomaly, x, l.y)
		st.body.WriteString("</g>\n")
		text := name
		if f.Message != "" {
			text = name + " " + shortened(f.Message, 16)
		}
		st.write(x-4, "finding-label", text, l.rows()...)
	}
}

// findingPlace returns the position of a finding, if it is in the window.
func (st *stage) findingPlace(f check.Finding) (lane int, at plan.Duration, x float64, ok bool) {
	lane = st.lane("client:" + f.Client)
	if f.Client == "" || f.Anomaly == check.Unstored || f.Anomaly == check.StoredTwice {
		if lane = st.lane("log"); lane < 0 {
			lane = st.serverLane("")
		}
	}
	if lane < 0 {
		return 0, 0, 0, false
	}
	if f.Event >= 0 && f.Event < len(st.Events) {
		at = st.timeOf(f.Event)
		return lane, at, st.markOf(f.Event), st.scaled.has(at)
	}
	for _, e := range st.Events { // without an event, it stands at the end of the run
		at = max(at, e.At)
	}
	return lane, at, st.Right - 10, at <= st.scaled.To
}

// FindingSign returns the SVG of the sign for that kind of finding, with its middle at x and
// y. Its classes are halo, hole, ring and stroke.
func FindingSign(a check.Anomaly, x, y float64) string {
	var c canvas
	c.findingSign(a, x, y)
	return c.body.String()
}

// findingSign draws each kind of finding with a shape of its own, because all kinds share one
// colour.
func (c *canvas) findingSign(a check.Anomaly, x, y float64) {
	c.element("circle", "class", "halo", "cx", x, "cy", y, "r", 12.0)
	path := func(class, format string, arguments ...any) {
		c.element("path", "class", class, "d", fmt.Sprintf(format, arguments...))
	}
	switch a {
	case check.Lost: // an empty place, crossed out
		c.element("circle", "class", "hole", "cx", x, "cy", y, "r", 8.5)
		path("stroke", "%s", crossPath(x, y, 4))
	case check.Unstored: // an empty row, crossed out
		c.element("rect", "class", "hole", "x", x-8, "y", y-8, "width", 16.0, "height", 16.0)
		path("stroke", "%s", crossPath(x, y, 4))
	case check.Duplicated: // two overlapping circles
		c.element("circle", "class", "ring", "cx", x-3.5, "cy", y, "r", 6.0)
		c.element("circle", "class", "ring", "cx", x+3.5, "cy", y, "r", 6.0)
	case check.StoredTwice: // two overlapping rows
		c.element("rect", "class", "ring", "x", x-8, "y", y-7, "width", 10.0, "height", 10.0)
		c.element("rect", "class", "ring", "x", x-3, "y", y-3, "width", 10.0, "height", 10.0)
	case check.Reordered: // two arrows that change places
		path("stroke", "M%.1f %.1fh14l-4 -3.5M%.1f %.1fh-14l4 3.5", x-7, y-3.5, x+7, y+3.5)
	case check.Phantom: // a question mark
		c.element("circle", "class", "ring", "cx", x, "cy", y, "r", 8.5)
		path("stroke", "M%.1f %.1fq0 -3.5 3 -3.5q3 0 3 3q0 2 -3 3.5v1M%.1f %.1fv0.5", x-3, y-1.5, x, y+5)
	case check.Late: // a clock
		c.element("circle", "class", "ring", "cx", x, "cy", y, "r", 8.5)
		path("stroke", "M%.1f %.1fv-5M%.1f %.1fl3.5 2.5", x, y, x, y)
	case check.SentAgain: // an arrow that comes back
		path("stroke", "M%.1f %.1fa6.5 6.5 0 1 0 -2 4.6M%.1f %.1fl0.4 5l-5 -0.6", x+6.5, y, x+6.6, y-4.6)
	default:
		c.element("circle", "class", "ring", "cx", x, "cy", y, "r", 6.0)
	}
}
