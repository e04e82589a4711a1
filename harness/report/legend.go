package report

import (
	"cmp"
	"fmt"
	"io"

	"redial/harness/history"
)

// Legend writes an explanation of every sign of a scene, as an SVG of that width in pixels.
func Legend(w io.Writer, l Language, width int) error {
	l = cmp.Or(l, English)
	k := key{language: l, width: float64(min(max(width, narrowest), widest))}
	for _, s := range legendSigns {
		k.add(s.word(l), s.draw)
	}
	_, err := w.Write(k.finish())
	return err
}

// legend explains below the drawing only the signs that it has used.
func (st *stage) legend() {
	k := key{language: st.Language, width: float64(st.Width) - 24}
	for _, s := range legendSigns {
		if st.signs[s.key] {
			k.add(s.word(st.Language), s.draw)
		}
	}
	if k.body.Len() == 0 {
		return
	}
	fmt.Fprintf(&st.body, `<g class="legend" transform="translate(12 %.0f)">`+"\n%s</g>\n", st.height+6, k.body.String())
	st.height += k.y + 36
}

type legendSign struct {
	key string
	// traffic marks a sign that appears only in drawings with frames and connections.
	traffic bool
	draw    func(st *stage)
}

func (s legendSign) word(l Language) string {
	if text, ok := drawingWords[l]["key "+s.key]; ok {
		return text
	}
	return l.Word(s.key)
}

// legendSigns are drawn in a box of 34 by 24 pixels.
var legendSigns = func() (list []legendSign) {
	arrow := func(key, class string, traffic, lost, outside bool) {
		list = append(list, legendSign{key, traffic, func(st *stage) {
			st.open("g", "class", class)
			st.arrow(5, 4, 29, 20, lost, outside)
			st.body.WriteString("</g>\n")
		}})
	}
	event := func(key string, kind history.Kind) {
		const traffic = false
		list = append(list, legendSign{key, traffic, func(st *stage) { st.sign(kind, 17, 12, 0) }})
	}
	line := func(key, class string) {
		const traffic = false
		list = append(list, legendSign{key, traffic, func(st *stage) {
			st.element("line", "class", class, "x1", 3.0, "x2", 31.0, "y1", 12.0, "y2", 12.0)
		}})
	}
	bar := func(key, class string, high float64, traffic bool) {
		list = append(list, legendSign{key, traffic, func(st *stage) {
			st.element("rect", "class", class, "x", 3.0, "y", 12-high/2, "width", 28.0, "height", high, "rx", min(high/2, 6))
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
	list = append(list, legendSign{"waits", true, func(st *stage) { st.element("path", "class", "waits", "d", "M5 18V9H29V18") }})
	list = append(list, legendSign{"offset", false, func(st *stage) { st.text(9, 16, "offset-label", "#7") }})
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
		list = append(list, legendSign{"anomaly " + string(a), false, func(st *stage) {
			st.open("g", "class", "finding")
			st.findingSign(a, 17, 12)
			st.body.WriteString("</g>\n")
		}})
	}
	return list
}()

// A key is a legend in the making, in rows.
type key struct {
	canvas
	language Language
	width    float64
	x, y     float64
}

func (k *key) add(text string, draw func(*stage)) {
	const row, sign = 27.0, 40.0
	need := sign + labelWidth(text) + 18
	if k.x > 0 && k.x+need > k.width {
		k.x, k.y = 0, k.y+row
	}
	st := &stage{signs: map[string]bool{}}
	draw(st)
	fmt.Fprintf(&k.body, `<g class="sign" transform="translate(%.0f %.0f)">`+"\n", k.x, k.y)
	k.body.Write(st.body.Bytes())
	k.text(sign, 16, "label", text)
	k.body.WriteString("</g>\n")
	k.x += need
}

func (k *key) finish() []byte {
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" class="timeline scene scene-key" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" lang="%s" aria-label="%s">`+"\n",
		k.width, k.y+27, k.width, k.y+27, k.language, escaped(k.language.Word("key")))
	return append(append([]byte(head), k.body.Bytes()...), "</svg>\n"...)
}
