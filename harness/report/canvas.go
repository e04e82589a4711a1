package report

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// TimelineStyle is the style sheet of the drawings. Its colours are CSS variables, because the
// dark scheme and print redefine them.
//
//go:embed timeline.css
var TimelineStyle string

// labelChar is the average width in pixels of a character of a label, which is 11 px high.
const labelChar = 6.4

// A canvas collects SVG elements. It escapes every value, so that text from a server cannot
// become markup.
type canvas struct{ body bytes.Buffer }

func (c *canvas) element(name string, attributes ...any) {
	c.open(name, attributes...)
	c.body.Truncate(c.body.Len() - 1)
	c.body.WriteString("/>\n")
}

func (c *canvas) open(name string, attributes ...any) {
	c.body.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		value, isNumber := attributes[i+1].(float64)
		text := fmt.Sprint(attributes[i+1])
		if isNumber {
			text = strconv.FormatFloat(value, 'f', -1, 64)
			if rounded := strconv.FormatFloat(value, 'f', 1, 64); len(rounded) < len(text) {
				text = rounded
			}
		}
		c.body.WriteString(" " + attributes[i].(string) + `="` + escaped(text) + `"`)
	}
	c.body.WriteString(">")
}

func (c *canvas) text(x, y float64, class, text string) {
	c.open("text", "x", x, "y", y, "class", class)
	c.body.WriteString(escaped(text) + "</text>\n")
}

func crossPath(x, y, r float64) string {
	return fmt.Sprintf("M%.1f %.1fl%.1f %.1fm0 %.1fl%.1f %.1f", x-r, y-r, 2*r, 2*r, -2*r, -2*r, 2*r)
}

// boltPath is the lightning flash of a fault.
func boltPath(x, y, r float64) string {
	return fmt.Sprintf("M%.1f %.1fl%.1f %.1fh%.1fl%.1f %.1fl%.1f %.1fh%.1fz",
		x+0.25*r, y-r, -0.8*r, 1.1*r, 0.5*r, -0.2*r, 0.9*r, 0.8*r, -1.1*r, -0.5*r)
}

// escaped makes text safe for an XML element or attribute.
func escaped(text string) string {
	var b strings.Builder
	// Writing to a strings.Builder never fails.
	_ = xml.EscapeText(&b, []byte(Visible(text)))
	return b.String()
}

func labelWidth(text string) float64 { return float64(textWidth(text)) * labelChar }
