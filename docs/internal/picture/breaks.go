package picture

import (
	"fmt"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/report"
)

// stopped describes how a server ended: by a signal or in another way.
func (d *diagram) stopped(how string) string {
	switch how {
	case "killed":
		return "SIGKILL"
	case "stopped":
		return "SIGTERM"
	}
	return d.language.Word(how)
}

// sign draws the mark of an anomaly.
func (d *diagram) sign(a check.Anomaly, x, y float64) {
	d.signs["anomaly "+string(a)] = true
	d.body.WriteString(report.FindingSign(a, x, y))
}

// lost lists, at the end of a client's lifeline, the messages that the client never showed.
func (d *diagram) lost() {
	for _, client := range d.names {
		var texts []string
		for _, e := range d.events {
			if e.Kind == history.Sent && d.missing[client+"\x00"+e.Message] && !d.goneForGood(e) {
				texts = append(texts, e.Message)
			}
		}
		for n, text := range texts {
			if n == lostDrawn && len(texts) > lostDrawn+1 {
				d.y += rowHigh * 0.6
				d.between(d.server(client), d.x(client), d.y, "bad-text", "…") // the findings are bounded, so their number is unknown
				break
			}
			d.y += rowHigh
			to := d.x(client)
			d.signs["never shown"] = true
			d.absent(d.server(client), to, d.y)
			d.between(d.server(client), d.along(to, d.server(client), besideSign), d.y-5, "bad-text", quoted(text, d.letters()-lettersOfSign))
			d.sign(check.Lost, to, d.y)
		}
	}
}

func (d *diagram) strike(e history.Event) {
	if e.Client == "" {
		d.label(d.x(serverLane(e.Node))+11, d.y+4, "fault-text", "start", d.language.Fault(e.FaultKind))
		return
	}
	x, name := d.beside(e.Client), d.language.Fault(e.FaultKind)
	fmt.Fprintf(&d.body, `<path class="bolt" d="M%.1f %.1fl-7 9h5l-3 7 8 -10h-5l4 -6z"/>`+"\n", x-textWidth(name)/2-3, d.y-9)
	d.label(x+5, d.y+4, "fault-text", "middle", name)
	d.signs["fault"] = true
	if e.FaultKind.Lasts() {
		d.heal(e.Client)
		d.fault[e.Client] = d.y
	}
}

func (d *diagram) heal(client string) {
	from, ok := d.fault[client]
	if !ok {
		return
	}
	delete(d.fault, client)
	d.signs["lasting"] = true
	x := d.beside(client)
	fmt.Fprintf(&d.under, `<rect class="outage" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="4"/>`+"\n", x-d.lane*0.36, from+9, d.lane*0.72, max(4, d.y-from-18))
}

// end draws a state of a lane that lasted until now, since it began.
func (d *diagram) end(since map[string]float64, lane, state string, width float64) {
	from, ok := since[lane]
	if !ok {
		return
	}
	delete(since, lane)
	d.signs[state] = true
	fmt.Fprintf(&d.under, `<rect class="%s" x="%.1f" y="%.1f" width="%.0f" height="%.1f" rx="2"/>`+"\n", state, d.x(lane)-width/2, from, width, d.y-from)
}
