package picture

import (
	_ "embed"
	"fmt"

	"redial/harness/history"
)

func stopped(how string) string {
	switch how {
	case "killed":
		return "SIGKILL"
	case "stopped":
		return "SIGTERM"
	}
	return how
}

// lost names, at the end of a client's line, what it never showed.
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
				d.between(d.server(client), d.x(client), d.y, "bad-text", "…") // findings are bounded: no count
				break
			}
			d.y += rowHigh
			to := d.x(client)
			d.arrow("message bad waiting", d.server(client), d.beside(client), d.y)
			d.between(d.server(client), to, d.y-5, "bad-text", quoted(text, longestAlone))
			d.cross(d.beside(client), d.y, "bad-cross")
		}
	}
}

func (d *diagram) strike(e history.Event) {
	if e.Client == "" {
		d.label(d.x(serverLane(e.Node))+11, d.y+4, "fault-text", "start", string(e.FaultKind))
		return
	}
	x := d.beside(e.Client)
	fmt.Fprintf(&d.body, `<path class="bolt" d="M%.1f %.1fl-7 9h5l-3 7 8 -10h-5l4 -6z"/>`+"\n", x-26, d.y-9)
	d.label(x+3, d.y+4, "fault-text", "middle", string(e.FaultKind))
	if e.FaultKind.Lasts() {
		d.heal(e.Client)
		d.fault[e.Client] = d.y
		d.faultName[e.Client] = string(e.FaultKind)
	}
}

func (d *diagram) heal(client string) {
	from, ok := d.fault[client]
	if !ok {
		return
	}
	delete(d.fault, client)
	x := d.beside(client)
	fmt.Fprintf(&d.under, `<rect class="outage" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="4"/>`+"\n", x-lane*0.36, from+9, lane*0.72, max(4, d.y-from-18))
}

func (d *diagram) endConnection(client string) {
	from, ok := d.connected[client]
	if !ok {
		return
	}
	delete(d.connected, client)
	fmt.Fprintf(&d.under, `<rect class="connected" x="%.1f" y="%.1f" width="7" height="%.1f" rx="2"/>`+"\n", d.x(client)-3.5, from, d.y-from)
}

func (d *diagram) endServer(at string) {
	from, ok := d.up[at]
	if !ok {
		return
	}
	delete(d.up, at)
	fmt.Fprintf(&d.under, `<rect class="server" x="%.1f" y="%.1f" width="9" height="%.1f" rx="2"/>`+"\n", d.x(at)-4.5, from, d.y-from)
}
