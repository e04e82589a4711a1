package report

import (
	"cmp"
	"fmt"

	"redial/harness/history"
)

// Legend explains every sign of a scene, in an SVG of that width in pixels.
func Legend(l Language, width int) string {
	const row, sign = 27.0, 40.0
	l = cmp.Or(l, English)
	wide := float64(min(max(width, narrowest), widest))
	var c canvas
	x, y := 0.0, 0.0
	for _, s := range legendSigns {
		text := s.word(l)
		need := sign + labelWidth(text) + 18
		if x > 0 && x+need > wide {
			x, y = 0, y+row
		}
		fmt.Fprintf(&c.body, `<g class="sign" transform="translate(%.0f %.0f)">`+"\n", x, y)
		s.draw(&c)
		c.text(sign, 16, "label", text)
		c.body.WriteString("</g>\n")
		x += need
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" class="timeline scene scene-key" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" lang="%s" aria-label="%s">`+"\n%s</svg>\n",
		wide, y+row, wide, y+row, l, escaped(l.Word("key")), c.body.String())
}

type legendSign struct {
	key string
	// traffic marks a sign that appears only in drawings with frames and connections.
	traffic bool
	draw    func(c *canvas)
}

func (s legendSign) word(l Language) string {
	return cmp.Or(drawingWords[l]["key "+s.key], l.Word(s.key))
}

// legendSigns are drawn in a box of 34 by 24 pixels.
var legendSigns = func() (list []legendSign) {
	arrow := func(key, class string, traffic, lost, outside bool) {
		list = append(list, legendSign{key, traffic, func(c *canvas) {
			c.open("g", "class", class)
			c.arrow(5, 4, 29, 20, lost, outside)
			c.body.WriteString("</g>\n")
		}})
	}
	event := func(key string, kind history.Kind) {
		const traffic = false
		list = append(list, legendSign{key, traffic, func(c *canvas) { c.sign(kind, 17, 12, 0) }})
	}
	line := func(key, class string) {
		const traffic = false
		list = append(list, legendSign{key, traffic, func(c *canvas) {
			c.element("line", "class", class, "x1", 3.0, "x2", 31.0, "y1", 12.0, "y2", 12.0)
		}})
	}
	bar := func(key, class string, high float64, traffic bool) {
		list = append(list, legendSign{key, traffic, func(c *canvas) {
			c.element("rect", "class", class, "x", 3.0, "y", 12-high/2, "width", 28.0, "height", high, "rx", min(high/2, 6))
		}})
	}
	arrow("message", "packet carries", true, false, false)
	arrow("frame", "packet", true, false, false)
	arrow("lost frame", "packet carries gone", true, true, false)
	arrow("elsewhere", "packet carries elsewhere", false, false, true)
	arrow("estimated", "packet carries estimated", false, false, false)
	arrow("unknown", "packet carries estimated unknown", false, true, false)
	event("sent", history.Sent)
	event("shown", history.Shown)
	event("acknowledged", history.Acknowledged)
	event("row", history.Stored)
	list = append(list, legendSign{"waits", true, func(c *canvas) { c.element("path", "class", "waits", "d", "M5 18V9H29V18") }})
	list = append(list, legendSign{"offset", false, func(c *canvas) { c.text(9, 16, "offset-label", "#7") }})
	bar("page", "view", 18, false)
	line("connected", "connected")
	line("disconnected", "disconnected")
	bar("connection", "wire", 5, true)
	bar("half-open", "wire-dead", 5, true)
	bar("session", "session", 6, true)
	bar("server", "server-up", 16, false)
	event("fault", history.FaultFired)
	bar("lasting", "fault-span", 18, false)
	for _, a := range anomalies {
		list = append(list, legendSign{"anomaly " + string(a), false, func(c *canvas) {
			c.open("g", "class", "finding")
			c.findingSign(a, 17, 12)
			c.body.WriteString("</g>\n")
		}})
	}
	return list
}()
