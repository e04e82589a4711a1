package web

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	compoundSelector = regexp.MustCompile(`^(\*|[\w-]+)?([#.][\w-]+)*$`)
	selectorPart     = regexp.MustCompile(`[#.]?[\w-]+`)
)

// matcher supports tag, #id, .class and their combinations, the descendant combinator and lists.
// Anything else throws.
func (w *Window) matcher(selector string) func(*node) bool {
	var any [][]func(*node) bool
	for _, one := range strings.Split(selector, ",") {
		var parts []func(*node) bool
		for _, text := range strings.Fields(one) {
			parts = append(parts, w.compound(text))
		}
		if len(parts) == 0 {
			w.compound("")
		}
		any = append(any, parts)
	}
	return func(n *node) bool {
		return slices.ContainsFunc(any, func(parts []func(*node) bool) bool { return insideOf(n, parts) })
	}
}

// insideOf tells whether the last part matches the node, and the others its ancestors.
func insideOf(n *node, parts []func(*node) bool) bool {
	last := len(parts) - 1
	if !parts[last](n) {
		return false
	}
	at := n.parent
	for i := last - 1; i >= 0; i-- {
		for at != nil && (at.kind != elementNode || !parts[i](at)) {
			at = at.parent
		}
		if at == nil {
			return false
		}
		at = at.parent
	}
	return true
}

func (w *Window) compound(text string) func(*node) bool {
	if text == "" || !compoundSelector.MatchString(text) {
		w.throw("SyntaxError", fmt.Sprintf("the harness's page does not understand the selector %q", text))
	}
	parts := selectorPart.FindAllString(text, -1)
	return func(n *node) bool {
		for _, part := range parts {
			switch name := part[1:]; {
			case part[0] == '#' && n.id() != name,
				part[0] == '.' && !slices.Contains(n.classes(), name),
				part[0] != '#' && part[0] != '.' && n.tag != strings.ToUpper(part):
				return false
			}
		}
		return true
	}
}

func (n *node) classes() []string {
	class, _ := n.attribute("class")
	return strings.Fields(class)
}
