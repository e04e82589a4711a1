package report

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"redial/harness/check"
	"redial/harness/history"
)

// dot writes the sign of one event, of about the radius, with its description for
// whoever points at it.
func (d *drawing) dot(i int, radius float64) {
	e := d.Events[i]
	lane := d.laneOf(e)
	if lane < 0 {
		return
	}
	x, y := d.at(i), d.y(lane)
	if !d.small() {
		d.open("g")
		defer func() { d.body.WriteString("</g>\n") }()
		d.body.WriteString("<title>" + escaped(tooltip(e)) + "</title>")
	}
	switch e.Kind {
	case history.Sent:
		d.element("circle", "class", "sent", "cx", x, "cy", y, "r", radius)
	case history.Shown, history.Repeated:
		d.element("circle", "class", "shown", "cx", x, "cy", y, "r", radius)
	case history.Acknowledged:
		d.element("path", "class", "ack", "d", fmt.Sprintf("M%.1f %.1fv%.1f", x, y-radius*2.2, radius*4.4))
	case history.Refused:
		d.element("path", "class", "refused", "d", crossPath(x, y, radius))
	case history.Stored, history.Found:
		d.element("rect", "class", "stored", "x", x-radius*0.8, "y", y-radius*0.8, "width", radius*1.6, "height", radius*1.6)
	case history.Disconnected, history.ServerStopped:
		d.element("path", "class", "break", "d", fmt.Sprintf("M%.1f %.1fv%.1f", x, y-radius*1.8, radius*3.6))
	case history.FaultFired:
		d.element("path", "class", "fault", "d", boltPath(x, y, radius*2))
	}
}

// tooltip describes an event in terms of the protocol.
func tooltip(e history.Event) string {
	parts := []string{clock(e.At), string(e.Kind)}
	if e.Client != "" {
		parts = append(parts, e.Client)
	}
	if e.View > 1 {
		parts = append(parts, "view "+itoa(e.View))
	}
	if e.Message != "" {
		parts = append(parts, quoted(e.Message, 60))
	}
	if e.Offset != 0 {
		parts = append(parts, "offset "+strconv.FormatInt(e.Offset, 10))
	}
	if e.Recovered {
		parts = append(parts, "recovered: true")
	}
	if e.FaultKind != "" {
		parts = append(parts, string(e.FaultKind))
	}
	if e.Detail != "" {
		parts = append(parts, clip(e.Detail, 80))
	}
	return strings.Join(parts, " · ")
}

// offence marks the finding: the way of its message, every place where it was
// seen, and the place where the rule was broken.
func (d *drawing) offence() {
	if d.Offence == nil || len(d.Events) == 0 {
		return
	}
	offended, x := d.offencePlace()
	for _, i := range d.chosen {
		e := d.Events[i]
		if !d.concerns(e) || d.laneOf(e) < 0 {
			continue
		}
		// Only the way to where it went wrong is drawn strongly.
		class := "offence-elsewhere"
		if d.laneOf(e) == offended {
			class = "offence-way"
		}
		if from, ok := d.senders[i]; ok && d.has(from) && e.Kind != history.Acknowledged {
			d.messageLine(class, from, i)
		}
		if e.Kind != history.Acknowledged {
			d.element("circle", "class", "offence-ring", "cx", d.at(i), "cy", d.y(d.laneOf(e)), "r", d.radius(6.5))
		}
	}
	if offended < 0 {
		return
	}
	y := d.y(offended)
	if d.isMissing() {
		if from := d.sentBefore(); from >= 0 {
			if a := d.laneOf(d.Events[from]); a >= 0 {
				d.element("line", "class", "offence-way missing", "x1", d.at(from), "y1", d.y(a), "x2", x, "y2", y)
			}
		}
		d.element("circle", "class", "offence-hole", "cx", x, "cy", y, "r", d.radius(9))
		d.element("path", "class", "offence-cross", "d", crossPath(x, y, d.radius(4.5)))
		return
	}
	d.element("circle", "class", "offence-halo", "cx", x, "cy", y, "r", d.radius(13))
	d.element("circle", "class", "offence", "cx", x, "cy", y, "r", d.radius(6.5))
}

func (d *drawing) radius(r float64) float64 {
	if d.small() {
		return r * 0.55
	}
	return r
}

// isMissing tells whether the offence is something that is not there.
func (d *drawing) isMissing() bool {
	switch d.Offence.Anomaly {
	case check.Lost, check.Unstored, check.Late:
		return true
	}
	return false
}

// offencePlace is the lane and the place of the offence; lane is -1 for none.
func (d *drawing) offencePlace() (lane int, x float64) {
	lane = d.lane(logLane, "")
	if d.Offence.Client != "" {
		lane = d.lane(clientLane, d.Offence.Client)
	}
	if d.Offence.Event < 0 || d.Offence.Event >= len(d.Events) {
		return lane, d.right
	}
	return lane, d.at(d.Offence.Event)
}

// sentBefore is the index of the last sending of the offending message, or -1.
func (d *drawing) sentBefore() int {
	found := -1
	for i, e := range d.Events {
		if e.Kind == history.Sent && d.concerns(e) && d.has(i) {
			found = i
		}
	}
	return found
}

func crossPath(x, y, r float64) string {
	return fmt.Sprintf("M%.1f %.1fl%.1f %.1fm0 %.1fl%.1f %.1f", x-r, y-r, 2*r, 2*r, -2*r, -2*r, 2*r)
}

// boltPath is a small flash of lightning.
func boltPath(x, y, r float64) string {
	return fmt.Sprintf("M%.1f %.1fl%.1f %.1fh%.1fl%.1f %.1fl%.1f %.1fh%.1fz",
		x+0.25*r, y-r, -0.8*r, 1.1*r, 0.5*r, -0.2*r, 0.9*r, 0.8*r, -1.1*r, -0.5*r)
}
