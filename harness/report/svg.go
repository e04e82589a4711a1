package report

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"redial/harness/history"
)

// TimelineStyle is the style sheet of the drawings: colours are CSS variables, in
// a light and a dark set.
//
//go:embed timeline.css
var TimelineStyle string

// Measures of a drawing, in pixels.
const (
	gutter     = 104.0 // for the names of the lanes
	laneHeight = 50.0
	flagHeight = 17.0 // one row of fault names
	flagRows   = 3
	axisHeight = 34.0
	labelChar  = 6.4 // an ordinary character of a label, 11 px high
)

// Detail writes the drawing around the offence as SVG. It says how many events
// and clients it had to leave out.
func (t Timeline) Detail(w io.Writer) (eventsLeftOut, clientsLeftOut int, err error) {
	s := t.story()
	chosen := t.choose(eventsDrawn)
	// A short run is not stretched over the page, a full one fills it.
	narrowest := max(520, min(1040, 36*float64(len(chosen))))
	d := drawing{
		Timeline: t, story: s,
		axis:       newAxis(t.Events, chosen, gutter, narrowest, 1040, 6),
		laneHeight: laneHeight,
		occupied:   map[int][]interval{},
	}
	d.top = d.flags()
	d.height = d.top + float64(len(s.lanes))*laneHeight + axisHeight
	d.guides()
	for i := range s.lanes {
		d.laneLine(i)
	}
	d.messageLines()
	d.marks()
	d.offence()
	d.labels()
	d.timeAxis()
	_, err = w.Write(d.finish("timeline"))
	return len(t.Events) - len(chosen), s.hidden, err
}

// Overview writes the whole run as a narrow strip of SVG, with a frame around the
// part that Detail draws.
func (t Timeline) Overview(w io.Writer) error {
	s := t.story()
	d := drawing{
		Timeline: t, story: s,
		axis:       newAxis(t.Events, t.choose(1500), gutter, 900, 900, 0),
		laneHeight: 15,
		top:        8,
	}
	d.height = d.top + float64(len(s.lanes))*d.laneHeight + 26
	near := slices.DeleteFunc(t.choose(eventsDrawn), func(i int) bool { return distance(i, t.focus()) > eventsDrawn })
	if len(near) > 0 {
		from, to := d.at(near[0]), d.at(near[len(near)-1])
		d.element("rect", "class", "frame", "x", from-5, "y", 2.0, "width", to-from+10,
			"height", d.height-24, "rx", 3.0)
	}
	for i := range s.lanes {
		d.laneLine(i)
	}
	for _, i := range d.chosen {
		d.dot(i, 1.7)
	}
	d.offence()
	d.timeAxis()
	_, err := w.Write(d.finish("timeline overview"))
	return err
}

type interval struct{ from, to float64 }

// drawing is the SVG while it is being written.
type drawing struct {
	Timeline
	story
	axis
	canvas
	laneHeight  float64
	top, height float64
	// occupied is where labels already are, by row.
	occupied map[int][]interval
}

func (d *drawing) y(lane int) float64 { return d.top + (float64(lane)+0.5)*d.laneHeight }

func (d *drawing) small() bool { return d.laneHeight < 30 }

// escaped is text for an XML element or attribute.
func escaped(text string) string {
	var b strings.Builder
	// A strings.Builder never fails.
	_ = xml.EscapeText(&b, []byte(visible(text)))
	return b.String()
}

func (d *drawing) finish(class string) []byte {
	var out bytes.Buffer
	width := d.right + 24
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" class="%s" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`+"\n",
		class, width, d.height, width, d.height, escaped(d.Name))
	if !d.Bare {
		out.WriteString("<style>\n" + TimelineStyle + "</style>\n")
	}
	out.Write(d.body.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// flags writes the names of the faults above the lanes, in as many rows as they
// need, and returns where the lanes begin.
func (d *drawing) flags() float64 {
	used := 0
	for _, i := range d.chosen {
		if d.Events[i].Kind != history.FaultFired {
			continue
		}
		name := flagName(d.Events[i])
		from := d.at(i) - 4
		for row := range flagRows {
			if d.reserve(-1-row, from, from+labelWidth(name)+10) || row == flagRows-1 {
				d.text(d.at(i)+4, flagHeight*float64(row+1), "fault-name", name)
				used = max(used, row+1)
				break
			}
		}
	}
	return 10 + flagHeight*float64(used)
}

func flagName(e history.Event) string {
	if e.FaultKind == "" {
		return e.Fault
	}
	return string(e.FaultKind)
}

// guides leads from each fault's name down to its lane.
func (d *drawing) guides() {
	for _, i := range d.chosen {
		e := d.Events[i]
		if e.Kind != history.FaultFired {
			continue
		}
		bottom := d.top + float64(len(d.lanes))*d.laneHeight
		if lane := d.laneOf(e); lane >= 0 {
			bottom = d.y(lane)
		}
		d.element("line", "class", "fault-guide", "x1", d.at(i), "x2", d.at(i), "y1", 5.0, "y2", bottom)
	}
}

// laneLine writes a lane's name and its stretches.
func (d *drawing) laneLine(index int) {
	l, y := d.lanes[index], d.y(index)
	d.text(10, y+4, "lane-name", clip(visible(l.name), 14))
	half := d.laneHeight / 4.2
	if l.kind == logLane {
		d.element("line", "class", "log", "x1", d.left, "x2", d.right, "y1", y, "y2", y)
	}
	for _, sp := range l.spans {
		from, to := d.at(sp.from), d.at(sp.to)
		if to <= from {
			continue // before or after what is drawn
		}
		switch sp.kind {
		case serverUp:
			d.element("rect", "class", "server-up", "x", from, "y", y-half*0.7, "width", to-from, "height", half*1.4, "rx", 2.0)
		case pageOpen:
			d.element("rect", "class", "view", "x", from, "y", y-half, "width", max(0, to-from-2), "height", half*2, "rx", half/2)
		case underFault:
			d.element("rect", "class", "fault-span", "x", from, "y", y-half*1.3, "width", to-from, "height", half*2.6)
		case isConnected:
			d.element("line", "class", "connected", "x1", from, "x2", to, "y1", y, "y2", y)
		case isDisconnected:
			d.element("line", "class", "disconnected", "x1", from, "x2", to, "y1", y, "y2", y)
		}
	}
}

// messageLines joins each showing with its sending; the offending message is
// left to offence.
func (d *drawing) messageLines() {
	for _, i := range d.chosen {
		e := d.Events[i]
		from, ok := d.senders[i]
		if !ok || !d.has(from) || d.concerns(e) || e.Kind == history.Acknowledged {
			continue
		}
		d.messageLine("message", from, i)
	}
}

func (d *drawing) messageLine(class string, from, to int) {
	a, b := d.laneOf(d.Events[from]), d.laneOf(d.Events[to])
	if a < 0 || b < 0 || a == b {
		return
	}
	d.element("line", "class", class, "x1", d.at(from), "y1", d.y(a), "x2", d.at(to), "y2", d.y(b))
}

// labels writes what there is room for: the offending message first, then what
// happened to connections and servers, then messages.
func (d *drawing) labels() {
	if d.Offence != nil {
		if lane, x := d.offencePlace(); lane >= 0 && d.Offence.Message != "" {
			d.label(lane, x, true, "offence-label", quotedShort(d.Offence.Message, 28))
		}
	}
	for _, concerned := range []bool{true, false} {
		for _, i := range d.chosen {
			e := d.Events[i]
			lane := d.laneOf(e)
			text, above := labelOf(e)
			if lane < 0 || text == "" || d.concerns(e) != concerned {
				continue
			}
			class := "label"
			if concerned {
				class = "label strong"
			}
			d.label(lane, d.at(i), above, class, text)
		}
	}
}

// labelOf is the text beside an event's sign, and whether it stands above it.
func labelOf(e history.Event) (text string, above bool) {
	switch e.Kind {
	case history.Sent:
		return quotedShort(e.Message, 16), true
	case history.Shown:
		if e.Offset != 0 {
			return strconv.FormatInt(e.Offset, 10), false
		}
	case history.Opened:
		return viewLabel(e.View), true
	case history.Connected:
		if e.Recovered {
			return "recovered", false
		}
		return "connect", false
	case history.Disconnected:
		return "disconnect", false
	case history.ServerStarted:
		return "start", false
	case history.ServerStopped:
		return orDefault(e.Detail, "stop"), false
	}
	return "", false
}

func quotedShort(message string, columns int) string {
	return `"` + clip(visible(message), columns) + `"`
}

// label writes text above or below a sign unless another label is there.
func (d *drawing) label(lane int, x float64, above bool, class, text string) {
	row, y := lane*2, d.y(lane)-laneHeight*0.33
	if !above {
		row, y = lane*2+1, d.y(lane)+laneHeight*0.44
	}
	text = clip(visible(text), 32)
	width := labelWidth(text)
	from := max(2, min(x-3, d.right+20-width))
	if d.reserve(row, from, from+width+6) {
		d.text(from, y, class, text)
	}
}

func labelWidth(text string) float64 { return float64(textWidth(text)) * labelChar }

// reserve takes a stretch of a row if it is free.
func (d *drawing) reserve(row int, from, to float64) bool {
	for _, taken := range d.occupied[row] {
		if from < taken.to && to > taken.from {
			return false
		}
	}
	d.occupied[row] = append(d.occupied[row], interval{from, to})
	return true
}

// timeAxis writes the times below the lanes, as many as fit, and a break where
// much time passes.
func (d *drawing) timeAxis() {
	y := d.top + float64(len(d.lanes))*d.laneHeight + 4
	d.element("line", "class", "axis", "x1", d.left, "x2", d.right, "y1", y, "y2", y)
	next := d.left
	for k, i := range d.chosen {
		x := d.xs[k]
		at := d.Events[i].At
		if k > 0 && time.Duration(at-d.Events[d.chosen[k-1]].At) >= 5*time.Second {
			middle := (x + d.xs[k-1]) / 2
			d.element("path", "class", "axis-break", "d", fmt.Sprintf("M%.1f %.1fl3 -8m4 0l-3 8", middle-4, y+4))
		}
		if x < next {
			continue
		}
		text := clock(at)
		d.element("line", "class", "axis", "x1", x, "x2", x, "y1", y, "y2", y+4)
		d.text(x-labelWidth(text)/2+2, y+16, "tick", text)
		next = x + labelWidth(text) + 16
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
