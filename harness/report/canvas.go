package report

import (
	"bytes"
	"fmt"
	"strconv"
)

// A canvas is where SVG elements are written, every value escaped.
type canvas struct{ body bytes.Buffer }

// element writes an empty element from pairs of attribute and value.
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
