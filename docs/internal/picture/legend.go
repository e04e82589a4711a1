package picture

import (
	"fmt"
	"strings"

	"redial/harness/check"
	"redial/harness/report"
)

// A legend explains, in rows below the picture, the signs that the picture uses.
type legend struct {
	text   string
	height float64
}

// legendKeys are in the order of explanation, each drawn in a box of 30 by 20.
var legendKeys = []struct{ key, drawing string }{
	{"message", `<path class="message" d="M2 10H28m-5 -3.5l5 3.5l-5 3.5"/>`},
	{"elsewhere", `<circle class="tail" cx="5" cy="10" r="3.2"/><path class="message elsewhere" d="M8 10H28"/><path class="message" d="M22 6l6 4l-6 4"/>`},
	{"stuck", `<path class="message waiting" d="M2 10H28m-5 -3.5l5 3.5l-5 3.5"/>`},
	{"never shown", `<path class="message bad absent" d="M2 10H28"/>`},
	{"connect", `<path class="quiet-line" d="M2 10H28m-5 -3.5l5 3.5l-5 3.5"/>`},
	{"connected", `<rect class="connected" x="12" y="2" width="7" height="16" rx="2"/>`},
	{"server", `<rect class="server" x="11" y="2" width="9" height="16" rx="2"/>`},
	{"break", `<path class="stop" d="M10.5 5.5l9 9m0 -9l-9 9"/>`},
	{"fault", `<path class="bolt" d="M18 2l-7 9h5l-3 7 8 -10h-5l4 -6z"/>`},
	{"lasting", `<rect class="outage" x="3" y="2" width="25" height="16" rx="4"/>`},
}

func (d *diagram) legend(width, top float64) legend {
	var out strings.Builder
	x, y := 0.0, top
	fmt.Fprintf(&out, `<path class="axis" d="M10 %.1fH%.1f"/>`+"\n", top-6, width+10)
	add := func(drawing, text string) {
		need := 36 + textWidth(text) + 12
		if x > 0 && x+need > width {
			x, y = 0, y+23
		}
		fmt.Fprintf(&out, `<g transform="translate(%.0f %.0f)">%s<text class="key" x="36" y="14">%s</text></g>`+"\n", 10+x, y, strings.TrimSpace(drawing), escaped(text))
		x += need
	}
	for _, k := range legendKeys {
		if d.signs[k.key] {
			add(k.drawing, d.language.Word("key "+k.key))
		}
	}
	for _, a := range []check.Anomaly{check.Lost, check.Duplicated, check.Reordered, check.Phantom} {
		if d.signs["anomaly "+string(a)] {
			add(report.FindingSign(a, 15, 10), d.language.Anomaly(a))
		}
	}
	return legend{out.String(), y - top + 30}
}

// textWidth is in pixels. A Hangul letter is twice as wide as a Latin one.
func textWidth(text string) (width float64) {
	for _, r := range text {
		width += letter
		if r >= 0x1100 {
			width += letter * 0.95
		}
	}
	return width
}
