package picture

import (
	"fmt"
	"math"
	"strings"
)

// A Plot shows measurements on two logarithmic axes: a tenfold value is one grid line
// higher. The last point of each line is labelled with its value.
type Plot struct {
	Name string
	// Across labels the horizontal axis, Unit the vertical one.
	Across, Unit string
	// Lines holds at most two lines.
	Lines []Line
}

// A Line is a series of points (x, y). All coordinates are positive, as logarithmic axes
// require.
type Line struct {
	Name   string
	Points [][2]float64
}

func (p Plot) SVG() string {
	const left, right, top, bottom, width, height = 58.0, 110.0, 26.0, 46.0, 520.0, 300.0
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range p.Lines {
		for _, point := range l.Points {
			x0, x1 = min(x0, math.Log10(point[0])), max(x1, math.Log10(point[0]))
			y0, y1 = min(y0, math.Floor(math.Log10(point[1]))), max(y1, math.Ceil(math.Log10(point[1])))
		}
	}
	x := func(v float64) float64 { return left + (math.Log10(v)-x0)/max(1, x1-x0)*(width-left-right) }
	y := func(v float64) float64 {
		return height - bottom - (math.Log10(v)-y0)/max(1, y1-y0)*(height-top-bottom)
	}
	var out strings.Builder
	begin(&out, p.Name, width, height)
	for e := y0; e <= y1; e++ {
		at := y(math.Pow(10, e))
		fmt.Fprintf(&out, `<path class="axis" d="M%.1f %.1fH%.1f"/><text class="time" text-anchor="end" x="%.1f" y="%.1f">%s</text>`+"\n", left, at, width-right, left-6, at+4, round(math.Pow(10, e)))
	}
	for e := math.Ceil(x0); e <= x1; e++ {
		fmt.Fprintf(&out, `<text class="time" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`+"\n", x(math.Pow(10, e)), height-bottom+17, round(math.Pow(10, e)))
	}
	fmt.Fprintf(&out, `<text class="quiet" text-anchor="middle" x="%.1f" y="%.1f">%s</text><text class="quiet" x="10" y="17">%s</text>`+"\n", (left+width-right)/2, height-10, escaped(p.Across), escaped(p.Unit))
	for i, l := range p.Lines {
		class := string(rune('a' + i))
		var path, dots strings.Builder
		for n, point := range l.Points {
			step := "L"
			if n == 0 {
				step = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", step, x(point[0]), y(point[1]))
			fmt.Fprintf(&dots, `<circle class="dot-%s" cx="%.1f" cy="%.1f" r="4"/>`+"\n", class, x(point[0]), y(point[1]))
		}
		fmt.Fprintf(&out, `<path class="line-%s" d="%s"/>`+"\n%s", class, path.String(), dots.String())
		last := l.Points[len(l.Points)-1]
		fmt.Fprintf(&out, `<text class="text-%s" x="%.1f" y="%.1f">%s</text><text class="quiet" x="%.1f" y="%.1f">%s %s</text>`+"\n",
			class, x(last[0])+9, y(last[1])+1, escaped(l.Name), x(last[0])+9, y(last[1])+15, round(last[1]), escaped(p.Unit))
	}
	out.WriteString("</svg>\n")
	return out.String()
}

// round returns a number with two significant digits.
func round(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.3gk", v/1e3)
	case v >= 10:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
