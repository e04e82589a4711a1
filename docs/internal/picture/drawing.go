package picture

import (
	"encoding/xml"
	"fmt"
	"strings"
)

func (d *diagram) arrow(class string, from, to, y float64) {
	tip := 5.0
	if to > from {
		tip = -5
	}
	fmt.Fprintf(&d.body, `<path class="%s" d="M%.1f %.1fH%.1fm%.1f -3.5L%.1f %.1fl%.1f 3.5"/>`+"\n", class, from, y, to, tip, to, y, tip)
}

// arrowFromElsewhere draws a message whose sending is left out of the picture. The ring at
// the tail and the open head distinguish it from other messages.
func (d *diagram) arrowFromElsewhere(class string, from, to, y float64) {
	tip, ring := 6.0, -3.2
	if to > from {
		tip, ring = -6, 3.2
	}
	fmt.Fprintf(&d.body, `<path class="%s elsewhere" d="M%.1f %.1fH%.1f"/><path class="%s" d="M%.1f %.1fl%.1f -4m%.1f 4l%.1f 4"/><circle class="tail" cx="%.1f" cy="%.1f" r="3.2"/>`+"\n",
		class, from+2*ring, y, to, class, to, y, tip, -tip, tip, from+ring, y)
}

// absent draws a line without a head where an arrow is missing.
func (d *diagram) absent(from, to, y float64) {
	fmt.Fprintf(&d.body, `<path class="message bad absent" d="M%.1f %.1fH%.1f"/>`+"\n", from, y, to)
}

func (d *diagram) cross(x, y float64) {
	fmt.Fprintf(&d.body, `<path class="stop" d="M%.1f %.1fl9 9m0 -9l-9 9"/>`+"\n", x-4.5, y-4.5)
}

// over writes a text above the way from a client to the server.
func (d *diagram) over(client string, y float64, text string) {
	d.between(d.x(client), d.server(client), y-5, "quiet", text)
}

func (d *diagram) between(a, b, y float64, class, text string) {
	from, to := min(a, b), max(a, b)
	if to-from > d.lane { // the way crosses another lane, so the text stands at the far end
		if b > a {
			from = to - d.lane
		} else {
			to = from + d.lane
		}
	}
	d.label((from+to)/2, y, class, "middle", text)
}

func (d *diagram) label(x, y float64, class, anchor, text string) {
	fmt.Fprintf(&d.body, `<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">%s</text>`+"\n", class, anchor, x, y, escaped(text))
}

func (d *diagram) svg(name string) string {
	width := gutter + headWide/2 + float64(len(d.names)-1)*d.lane + margin
	end := d.y + 12
	key := d.legend(width-20, end+16)
	height := end + 16 + key.height
	var out strings.Builder
	begin(&out, name, width, height)
	for i, c := range d.names {
		x := gutter + headWide/2 + float64(i)*d.lane
		title := c
		if node, ok := strings.CutPrefix(c, serverLane("")); ok {
			title = strings.TrimSpace(d.language.Word("server") + " " + node)
		}
		fmt.Fprintf(&out, `<path class="life" d="M%.1f %.1fV%.1f"/>`+"\n", x, headHigh, end)
		fmt.Fprintf(&out, `<rect class="head" x="%.1f" y="8" width="%.0f" height="24" rx="12"/><text class="name" text-anchor="middle" x="%.1f" y="24">%s</text>`+"\n", x-headWide/2, headWide, x, escaped(clip(title, 10)))
	}
	out.WriteString(d.under.String())
	out.WriteString(d.body.String())
	out.WriteString(key.text)
	out.WriteString("</svg>\n")
	return out.String()
}

func begin(out *strings.Builder, name string, width, height float64) {
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`+"\n<style>\n%s</style>\n", width, height, width, height, escaped(name), style)
	fmt.Fprintf(out, `<rect class="paper" width="%.0f" height="%.0f" rx="8"/>`+"\n", width, height)
}

// quoted shortens a message in its middle, so that a number at its end remains.
func quoted(message string, longest int) string {
	const end = 4
	runes := []rune(message)
	if len(runes) > longest {
		message = string(runes[:longest-end-1]) + "…" + string(runes[len(runes)-end:])
	}
	return `"` + message + `"`
}

func clip(text string, longest int) string {
	runes := []rune(text)
	if len(runes) <= longest {
		return text
	}
	return string(runes[:longest-1]) + "…"
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder never fails
	return b.String()
}

// besideSign is the share of a lane that the sign of an anomaly takes from the text beside
// it, and lettersOfSign is that share in letters.
const (
	besideSign    = 0.14
	lettersOfSign = 4
)

// along returns the point at a share of the distance between two lanes.
func (d *diagram) along(from, towards, share float64) float64 {
	if towards < from {
		return from - share*d.lane
	}
	return from + share*d.lane
}

// letters returns the number of letters that fit between two lanes.
func (d *diagram) letters() int { return int(d.lane/letter) - 2 }
