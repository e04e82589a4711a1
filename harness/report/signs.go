package report

import (
	"fmt"

	"redial/harness/check"
	"redial/harness/history"
)

// placeMarks gives each event its place. Signs of one lane and one instant stand beside
// each other.
func (st *stage) placeMarks() {
	for _, i := range st.events {
		lane := st.laneOf(st.Events[i])
		x := st.x(st.timeOf(i))
		switch st.Events[i].Kind {
		case history.Sent, history.Shown, history.Stored, history.Found, history.Repeated, history.Refused:
			if last, ok := st.taken[lane]; ok && x < last+8 && x > last-24 {
				x = min(last+8, st.Right)
			}
			st.taken[lane] = x
		}
		st.marks[i] = x
	}
}

// eventMarks writes a sign for each event.
func (st *stage) eventMarks() {
	offsets := map[string]int64{}
	for i, e := range st.Events { // what the pages hold when the window begins
		if st.Events[i].At < st.scaled.From {
			st.noteOffset(offsets, e)
		}
	}
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
		if isMark(e.Message) {
			class = "event barrier"
		}
		st.open("g", append([]any{"class", class}, attributes...)...)
		st.title(st.eventTitle(e))
		st.sign(e.Kind, st.marks[i], l.y, l.towards)
		st.body.WriteString("</g>\n")
	}
	st.offsets = offsets
}

func (st *stage) sign(kind history.Kind, x, y, towards float64) {
	const r = 4.4
	switch kind {
	case history.Sent:
		st.signs["sent"] = true
		st.element("circle", "class", "sent", "cx", x, "cy", y, "r", r)
	case history.Shown:
		st.signs["shown"] = true
		st.element("circle", "class", "shown", "cx", x, "cy", y, "r", r)
	case history.Repeated:
		st.element("circle", "class", "shown repeated", "cx", x, "cy", y, "r", r)
	case history.Acknowledged:
		st.signs["acknowledged"] = true
		st.element("path", "class", "ack", "d", fmt.Sprintf("M%.1f %.1fl2.6 3l5 -7", x-4, y-towards*15+1))
	case history.Refused:
		st.element("path", "class", "refused", "d", crossPath(x, y, r))
	case history.Stored, history.Found:
		st.signs["row"] = true
		st.element("rect", "class", "stored", "x", x-4, "y", y-4, "width", 8.0, "height", 8.0, "rx", 1.5)
	case history.Connected:
		st.element("path", "class", "joined", "d", fmt.Sprintf("M%.1f %.1fv14", x, y-7))
	case history.Disconnected, history.ServerStopped, history.Closed:
		st.element("path", "class", "break", "d", fmt.Sprintf("M%.1f %.1fv16", x, y-8))
	case history.DataReplaced:
		st.element("path", "class", "refused", "d", crossPath(x, y, r*1.3))
	case history.FaultFired:
		st.signs["fault"] = true
		st.element("path", "class", "fault", "d", boltPath(x, y+towards*12, 9))
	}
}

func (st *stage) eventTitle(e history.Event) string {
	words := st.Language
	view, offset, message, recovered := "", "", "", ""
	if e.View > 1 {
		view = words.word("view", e.View)
	}
	if e.Offset != 0 {
		offset = words.word("offset", e.Offset)
	}
	if e.Message != "" {
		message = quoted(e.Message, 60)
	}
	if e.Recovered {
		recovered = words.word("recovered")
	}
	fault := ""
	if e.FaultKind != "" {
		fault = st.faultName(e)
	}
	kind := words.word("event " + string(e.Kind))
	return join(" · ", clock(e.At), visible(e.Client), kind, view, message, offset, recovered, fault, clip(visible(e.Detail), 80))
}

func (st *stage) noteOffset(offsets map[string]int64, e history.Event) (changed bool) {
	before := offsets[e.Client]
	switch {
	case e.Kind == history.Opened:
		offsets[e.Client] = e.Offset
	case e.Kind == history.Shown && e.Offset != 0:
		offsets[e.Client] = e.Offset
	}
	return offsets[e.Client] != before
}

// eventLabels writes what there is room for: messages where they were sent, what happened
// to connections and servers, and the offset that a page holds after each change.
func (st *stage) eventLabels() {
	for pass := range 3 {
		for _, i := range st.events {
			e := st.Events[i]
			l := st.lanes[st.laneOf(e)]
			far := []float64{l.y - 16, l.y - 29}
			if l.towards < 0 {
				far = []float64{l.y + 24, l.y + 37}
			}
			x := st.marks[i] - 3
			switch {
			case isMark(e.Message):
			case pass == 0 && e.Kind == history.Sent:
				st.write(x, "label strong-label", `"`+clip(visible(e.Message), 18)+`"`, far...)
			case pass == 1 && e.Kind == history.Connected:
				key := "connect"
				if e.Recovered {
					key = "recovered"
				}
				st.write(x, "label", st.Language.word(key), far...)
			case pass == 1 && e.Kind == history.Disconnected:
				st.write(x, "label", st.Language.word("disconnect"), far...)
			case pass == 1 && e.Kind == history.Opened && e.View > 1:
				st.write(x, "label", st.Language.word("view", e.View), far...)
			case pass == 1 && e.Kind == history.ServerStarted:
				st.write(x+6, "label", st.Language.word("start"), l.y-12, l.y+20)
			case pass == 1 && e.Kind == history.ServerStopped:
				key := e.Detail
				if _, known := drawingWords[English][key]; !known {
					key = "stop"
				}
				st.write(x+6, "label", st.Language.word(key), l.y-12, l.y+20)
			case pass == 1 && e.Kind == history.Stored:
				row := itoa64(e.Offset)
				if e.Offset == 0 {
					row = clip(visible(e.Message), 10)
				}
				st.write(x, "label", row, l.y+17)
			case pass == 2 && st.changes(i):
				st.signs["offset"] = true
				if l.towards > 0 {
					st.write(x, "offset-label", "#"+itoa64(e.Offset), far...)
				} else {
					st.write(x, "offset-label", "#"+itoa64(e.Offset), far...)
				}
			}
		}
	}
}

// changes tells whether an event changes the offset that its page holds.
func (st *stage) changes(i int) bool {
	e := st.Events[i]
	if e.Kind != history.Shown || e.Offset == 0 {
		return false
	}
	return st.noteOffset(st.offsets, e)
}

// findings marks what is wrong, where it is.
func (st *stage) findings() {
	drawn := 0
	for i, f := range st.Findings {
		lane, x, ok := st.findingPlace(f)
		if !ok {
			continue
		}
		if drawn == sceneFindings {
			st.left.Findings++
			continue
		}
		drawn++
		l := st.lanes[lane]
		for n := 0; n < 6 && !st.isFree(box{x - 9, l.y - 9, x + 9, l.y + 9}); n++ {
			x = max(st.Left, x-19)
		}
		st.boxes = append(st.boxes, box{x - 9, l.y - 9, x + 9, l.y + 9})
		class := "finding finding-" + anomalyClass(f.Anomaly)
		if !f.Must {
			class += " should"
		}
		name := st.Language.Anomaly(f.Anomaly)
		title := join("\n", st.Language.word("offence", name, quoted(f.Message, 80)), st.Language.Rule(f.Rule))
		if f.Message == "" {
			title = join("\n", name, st.Language.Rule(f.Rule))
		}
		if st.Language == English {
			title = join("\n", title, clip(visible(f.Expected), 240), clip(visible(f.Observed), 160))
		}
		st.signs["anomaly "+string(f.Anomaly)] = true
		st.open("g", "class", class, "data-kind", "finding", "data-finding", i, "data-rule", string(f.Rule), "data-anomaly", string(f.Anomaly),
			"data-lane", l.id, "data-client", f.Client, "data-message", f.Message, "data-at", int64(st.time(x)), "data-event", f.Event)
		st.title(title)
		st.findingSign(f.Anomaly, x, l.y)
		st.body.WriteString("</g>\n")
		text := name
		if f.Message != "" {
			text = name + ` "` + clip(visible(f.Message), 16) + `"`
		}
		rows := []float64{l.y - 16, l.y - 29, l.y + 26}
		if l.towards < 0 {
			rows = []float64{l.y + 24, l.y + 37, l.y - 18}
		}
		st.write(x-4, "finding-label", text, rows...)
	}
}

// findingPlace is where a finding is, if that is in the window.
func (st *stage) findingPlace(f check.Finding) (lane int, x float64, ok bool) {
	lane = st.lane("client:" + f.Client)
	if f.Client == "" || f.Anomaly == check.Unstored || f.Anomaly == check.StoredTwice {
		if lane = st.lane("log"); lane < 0 {
			lane = st.serverLane("")
		}
	}
	if lane < 0 {
		return 0, 0, false
	}
	if f.Event < 0 || f.Event >= len(st.Events) {
		end := st.scaled.To
		for _, e := range st.Events {
			if e.At > end {
				return 0, 0, false // it is after the window
			}
		}
		return lane, st.Right - 10, true
	}
	at := st.timeOf(f.Event)
	if !st.scaled.has(at) {
		return 0, 0, false
	}
	return lane, st.markOf(f.Event), true
}

func anomalyClass(a check.Anomaly) string {
	switch a {
	case check.StoredTwice:
		return "stored-twice"
	case check.SentAgain:
		return "sent-again"
	}
	return string(a)
}

// findingSign draws a sign of its own for each kind of finding.
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
	case check.Duplicated: // two circles, one upon the other
		c.element("circle", "class", "ring", "cx", x-3.5, "cy", y, "r", 6.0)
		c.element("circle", "class", "ring", "cx", x+3.5, "cy", y, "r", 6.0)
	case check.StoredTwice: // two rows, one upon the other
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
