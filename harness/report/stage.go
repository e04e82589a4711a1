package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"redial/harness/history"
)

// Sizes of a scene, in pixels.
const (
	farSide  = 40.0 // on a client's side away from the server: labels
	nearSide = 44.0 // on the side towards the server: connections and sessions
	// nearSideBare replaces nearSide if there are no connections and sessions to draw.
	nearSideBare = 24.0
	serverHigh   = 46.0
	logHigh      = 40.0
	nameHigh     = 17.0
	flagHigh     = 17.0 // one row of fault names
	flagRows     = 2
	// stripHigh is the height of a lane in a strip, and stripSize scales its signs.
	stripHigh = 15.0
	stripSize = 0.4
)

// A box is an area that is already occupied by a label or sign.
type box struct{ x0, y0, x1, y1 float64 }

func (st *stage) draw() {
	st.layOut()
	if st.strip {
		st.drawStrip()
		return
	}
	st.flags()
	for i := range st.lanes {
		st.laneBand(i)
	}
	st.sessions()
	st.connections()
	st.placeMarks()
	st.arrows()
	st.eventMarks()
	st.findings()
	st.eventLabels()
	st.axisBelow()
}

// layOut gives each lane its height. The names of faults are above the first.
func (st *stage) layOut() {
	near := nearSide
	if len(st.Traffic.Connections) == 0 && st.Keeps == 0 {
		near = nearSideBare
	}
	y := 8 + flagHigh*float64(st.rowsOfFlags())
	st.Top = y
	for i := range st.lanes {
		l := &st.lanes[i]
		if st.narrow {
			y += nameHigh
		}
		l.top = y
		switch {
		case st.strip:
			l.size, l.y = stripHigh, y+stripHigh/2
		case l.kind == serverLane:
			l.size, l.y = serverHigh, y+serverHigh/2
		case l.kind == logLane:
			l.size, l.y = logHigh, y+logHigh*0.42
		case l.towards > 0:
			l.size, l.y = farSide+near, y+farSide
		default:
			l.size, l.y = farSide+near, y+near
		}
		y += l.size
	}
	st.Bottom = y
	for _, l := range st.lanes {
		name := l.name
		switch {
		case l.kind == serverLane:
			name = strings.TrimSpace(st.Language.Word("server") + " " + l.name)
		case l.kind == logLane:
			name = st.Language.Word("log")
		}
		x, at, class := 12.0, l.y+4, "lane-name"
		if st.narrow {
			at = l.top - 3
			st.element("line", "class", "lane-edge", "x1", 0.0, "x2", float64(st.Width), "y1", l.top-nameHigh, "y2", l.top-nameHigh)
		}
		text := Clip(Visible(name), 14)
		st.open("g", "data-kind", "lane", "data-lane", l.id)
		st.text(x, at, class, text)
		st.body.WriteString("</g>\n")
		st.boxes = append(st.boxes, box{0, at - 11, x + labelWidth(text)*1.2, at + 4})
	}
}

func (st *stage) rowsOfFlags() int {
	if st.strip {
		return 0
	}
	for _, i := range st.events {
		if st.Events[i].Kind == history.FaultFired {
			return flagRows
		}
	}
	return 0
}

// flags writes the names of the faults above the lanes, with a line down to the lane of each.
func (st *stage) flags() {
	for _, i := range st.events {
		e := st.Events[i]
		if e.Kind != history.FaultFired {
			continue
		}
		x, to := st.x(e.At), st.lanes[st.laneOf(e)].y
		st.element("line", "class", "fault-guide", "x1", x, "x2", x, "y1", 6.0, "y2", to)
		st.write(x+4, "fault-name", st.faultName(e), flagHigh, flagRows*flagHigh)
	}
}

func (st *stage) faultName(e history.Event) string {
	if e.FaultKind == "" {
		return e.Fault
	}
	return st.Language.Fault(e.FaultKind)
}

// laneBand draws the states of a lane that last for a time.
func (st *stage) laneBand(index int) {
	l := st.lanes[index]
	if l.kind == logLane {
		st.element("line", "class", "log", "x1", st.Left, "x2", st.Right, "y1", l.y, "y2", l.y)
		return
	}
	size := 1.0
	if st.strip {
		size = stripSize
	}
	for _, s := range st.spans(index) {
		x0, x1 := st.x(s.from), st.x(s.to)
		if s.to < st.scaled.From || s.from > st.scaled.To || x1 <= x0 {
			continue
		}
		attributes := []any{"data-lane", l.id, "data-at", int64(s.from), "data-until", int64(s.to)}
		switch s.kind {
		case serverUp:
			st.element("rect", append(attributes, "data-kind", "server", "class", "server-up", "x", x0, "y", l.y-8*size, "width", x1-x0, "height", 16*size, "rx", 3*size)...)
		case pageOpen:
			st.element("rect", append(attributes, "data-kind", "page", "data-client", l.name, "class", "view", "x", x0, "y", l.y-11*size, "width", max(0, x1-x0-2), "height", 22*size, "rx", 8*size)...)
		case underFault:
			st.element("rect", append(attributes, "data-kind", "fault", "data-client", l.name, "class", "fault-span", "x", x0, "y", l.y-15*size, "width", x1-x0, "height", 30*size, "rx", 3*size)...)
		case isConnected, isDisconnected:
			class := "connected"
			if s.kind == isDisconnected {
				class = "disconnected"
			}
			st.element("line", append(attributes, "data-kind", class, "data-client", l.name, "class", class, "x1", x0, "x2", x1, "y1", l.y, "y2", l.y)...)
		}
	}
}

// drawStrip draws the whole run as a narrow strip.
func (st *stage) drawStrip() {
	if n := len(st.framed); n > 0 {
		from, to := st.x(st.Events[st.framed[0]].At), st.x(st.Events[st.framed[n-1]].At)
		st.element("rect", "class", "frame", "x", from-5, "y", 2.0, "width", to-from+10, "height", st.Bottom, "rx", 3.0)
	}
	for i := range st.lanes {
		st.laneBand(i)
	}
	for _, i := range st.events {
		e := st.Events[i]
		if e.Kind == history.Acknowledged { // there is no room for it beside the Sent sign
			continue
		}
		st.marks[i] = st.x(st.timeOf(i))
		st.small(st.marks[i], st.lanes[st.laneOf(e)].y, func() { st.sign(e.Kind, 0, 0, 0) })
	}
	st.findings()
	st.axisBelow()
}

func (st *stage) small(x, y float64, draw func()) {
	st.open("g", "transform", fmt.Sprintf("translate(%.1f %.1f) scale(%.1f)", x, y, stripSize))
	draw()
	st.body.WriteString("</g>\n")
}

// ---- writing

func (st *stage) title(text string) {
	st.body.WriteString("<title>" + escaped(text) + "</title>")
}

// write writes a label that begins at x, in the first of the rows with room for it. It reports
// whether there was one.
func (st *stage) write(x float64, class, text string, rows ...float64) bool {
	text = Clip(Visible(text), 44)
	width := labelWidth(text)
	if strings.Contains(class, "strong") || class == "fault-name" || class == "finding-label" {
		width *= 1.12
	}
	x = min(x, float64(st.Width)-4-width)
	if x < 2 {
		return false
	}
	for _, y := range rows {
		if b := (box{x - 3, y - 10, x + width + 3, y + 3}); st.isFree(b) {
			st.boxes = append(st.boxes, b)
			st.text(x, y, class, text)
			return true
		}
	}
	return false
}

func (st *stage) isFree(b box) bool {
	for _, o := range st.boxes {
		if b.x0 < o.x1 && o.x0 < b.x1 && b.y0 < o.y1 && o.y0 < b.y1 {
			return false
		}
	}
	return true
}

func (st *stage) axisBelow() {
	y := st.Bottom + 6
	st.element("line", "class", "axis", "x1", st.Left, "x2", st.Right, "y1", y, "y2", y)
	for i := 1; i < len(st.at); i++ {
		if st.Kind == Logarithmic && time.Duration(st.at[i]-st.at[i-1]) >= 5*time.Second {
			middle := (st.xs[i] + st.xs[i-1]) / 2
			st.element("path", "class", "axis-break", "d", fmt.Sprintf("M%.1f %.1fl3 -8m4 0l-3 8", middle-4, y+4))
		}
	}
	for _, t := range st.ticks(62) {
		st.element("line", "class", "axis", "x1", t.x, "x2", t.x, "y1", y, "y2", y+4)
		width := labelWidth(t.text)
		st.write(min(max(2, t.x-width/2), float64(st.Width)-width-6), "tick", t.text, y+17)
	}
	y += 28
	words := st.Language
	var parts []string
	for _, part := range []struct {
		n   int
		key string
	}{{st.left.Events, "events"}, {st.left.Frames, "frames"}, {st.left.Clients, "clients"}, {st.left.Findings, "findings"}} {
		if part.n > 0 {
			parts = append(parts, words.Word(part.key, part.n))
		}
	}
	if len(parts) > 0 {
		y += 8
		st.text(12, y, "left-out", words.Word("left out", strings.Join(parts, ", ")))
		y += 10
	}
	if len(st.events) == 0 && len(st.frames) == 0 {
		st.text(st.Left+6, st.Top+14, "left-out", words.Word("empty"))
	}
	st.height = y
}

func (st *stage) finish() string {
	axis, err := json.Marshal(st.scaled)
	if err != nil {
		panic(err) // cannot fail: the fields are numbers, and x is never infinite
	}
	class := "timeline scene"
	if st.strip {
		class += " overview"
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" class="%s" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" lang="%s" aria-label="%s" data-axis="%s">`+"\n%s</svg>\n",
		class, st.Width, st.height, st.Width, st.height, st.Language, escaped(st.Name), escaped(string(axis)), st.body.String())
}
