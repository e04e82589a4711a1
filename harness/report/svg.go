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

	"redial/harness/check"
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
	s := Scene{Events: t.Events, Name: t.Name, Bare: t.Bare, only: t.choose(eventsDrawn)}
	if len(s.only) > 0 {
		s.From = time.Duration(t.Events[s.only[0]].At)
		s.To = time.Duration(t.Events[s.only[len(s.only)-1]].At)
	}
	if t.Offence != nil {
		s.Findings = []check.Finding{*t.Offence}
		if t.Offence.Event < 0 && len(t.Events) > 0 { // it is where the run ends
			s.To = time.Duration(t.Events[len(t.Events)-1].At)
		}
	}
	// A short run is not stretched over the page, a full one fills it.
	s.Width = int(max(640, min(1160, 150+36*float64(len(s.only)))))
	left, err := s.Draw(w)
	return len(t.Events) - len(s.only), left.Clients, err
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

// drawing is the SVG while it is being written.
type drawing struct {
	Timeline
	story
	axis
	canvas
	laneHeight  float64
	top, height float64
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

func (d *drawing) messageLine(class string, from, to int) {
	a, b := d.laneOf(d.Events[from]), d.laneOf(d.Events[to])
	if a < 0 || b < 0 || a == b {
		return
	}
	d.element("line", "class", class, "x1", d.at(from), "y1", d.y(a), "x2", d.at(to), "y2", d.y(b))
}

func labelWidth(text string) float64 { return float64(textWidth(text)) * labelChar }

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
