package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// A Form is the guessed use of a page by a person: the section "page" of a redial.yaml, read
// from the page's HTML. It is a guess, because scripts may change the page.
type Form struct {
	// Names selects the fields for a name, which are filled in first.
	Names []string
	// Input selects the field for a message, and Submit the button that sends it; Submit is
	// empty if the Enter key sends it.
	Input, Submit string
	// Messages selects the elements of the messages.
	Messages string
}

var (
	aboutName     = regexp.MustCompile(`(?i)user|nick|name`)
	aboutSecret   = regexp.MustCompile(`(?i)pass|mail|search|room`)
	aboutMessage  = regexp.MustCompile(`(?i)mess|msg|chat`)
	simpleName    = regexp.MustCompile(`^[A-Za-z_][\w-]*$`)
	textTypes     = []string{"", "text"}
	submitTypes   = []string{"", "submit"}
	lists         = []string{"ul", "ol"}
	whereMessages = []string{"ul", "ol", "div", "section", "main"}
)

// readForm looks for a text input and a list of messages. It returns nil if one of them is
// missing or has no unique selector.
func readForm(page string) *Form {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return nil
	}
	d := dom{root}
	var f Form
	var input *html.Node
	for _, field := range d.all(func(n *html.Node) bool {
		return n.Data == "textarea" || n.Data == "input" && slices.Contains(textTypes, attribute(n, "type"))
	}) {
		selector, says := d.selector(field), names(field)
		switch {
		case selector == "" || aboutSecret.MatchString(says):
		case aboutName.MatchString(says) && !aboutMessage.MatchString(says):
			f.Names = append(f.Names, selector)
		case input == nil || aboutMessage.MatchString(says) && !aboutMessage.MatchString(names(input)):
			input = field
		}
	}
	list := d.list()
	if input == nil || list == "" {
		return nil
	}
	f.Input, f.Messages = d.selector(input), list
	if form := above(input, "form"); form != nil {
		f.Submit = d.button(form)
	}
	return &f
}

// lines returns the section as a person would write it.
func (f *Form) lines(echo bool) (lines []string) {
	lines = append(lines, "page:")
	if len(f.Names) > 0 {
		var steps []string
		for _, field := range f.Names {
			steps = append(steps, fmt.Sprintf(`{fill: %s, with: "{{client}}"}`, asJSON(field)))
		}
		lines = append(lines, "  enter: ["+strings.Join(append(steps, "{press: Enter}"), ", ")+"]  # guess: the page has a field for a name")
	}
	lines = append(lines, "  input: "+asJSON(f.Input)+"  # guess: the text input of the page")
	if f.Submit != "" {
		lines = append(lines, "  submit: "+asJSON(f.Submit)+"  # guess: the button of its form")
	} else {
		lines = append(lines, "  press: Enter  # guess: the page has no button for the input")
	}
	lines = append(lines, "  messages: "+asJSON(f.Messages)+"  # guess: the text of each element is one message; name what else it contains, such as the sender, in without")
	if !echo {
		lines = append(lines, "  echo: false  # likely: the server does not send a message back to its sender")
	}
	return lines
}

// A dom is a parsed page.
type dom struct{ root *html.Node }

// all returns the elements for which wanted is true, in the order of the page.
func (d dom) all(wanted func(*html.Node) bool) (found []*html.Node) {
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && wanted(n) {
			found = append(found, n)
		}
	}
	return found
}

// selector returns the shortest CSS selector that matches only this element, or "".
func (d dom) selector(n *html.Node) (found string) {
	try := func(selector string, matches func(*html.Node) bool) {
		if found == "" && len(d.all(matches)) == 1 {
			found = selector
		}
	}
	if id := attribute(n, "id"); simpleName.MatchString(id) {
		try("#"+id, func(m *html.Node) bool { return attribute(m, "id") == id })
	}
	for _, class := range strings.Fields(attribute(n, "class")) {
		if simpleName.MatchString(class) {
			try("."+class, func(m *html.Node) bool { return slices.Contains(strings.Fields(attribute(m, "class")), class) })
		}
	}
	if name := attribute(n, "name"); simpleName.MatchString(name) {
		try(fmt.Sprintf("%s[name=%s]", n.Data, name), func(m *html.Node) bool { return m.Data == n.Data && attribute(m, "name") == name })
	}
	try(n.Data, func(m *html.Node) bool { return m.Data == n.Data })
	return found
}

// list returns the selector of the messages: the items of an element that is named after
// messages, or of the only list.
func (d dom) list() string {
	holds := func(n *html.Node, what ...string) bool {
		for m := range n.Descendants() {
			if slices.Contains(what, m.Data) {
				return true
			}
		}
		return false
	}
	candidates := d.all(func(n *html.Node) bool {
		return slices.Contains(whereMessages, n.Data) && !holds(n, "input", "textarea", "ul", "ol") && aboutMessage.MatchString(names(n))
	})
	if len(candidates) == 0 {
		candidates = d.all(func(n *html.Node) bool { return slices.Contains(lists, n.Data) && !holds(n, "input", "textarea") })
		if len(candidates) != 1 {
			return ""
		}
	}
	best := candidates[0]
	if i := slices.IndexFunc(candidates, func(n *html.Node) bool { return slices.Contains(lists, n.Data) }); i >= 0 {
		best = candidates[i]
	}
	selector := d.selector(best)
	switch {
	case selector == "":
		return ""
	case slices.Contains(lists, best.Data):
		return selector + " li"
	}
	return selector + " > *"
}

// button returns the selector of the form's only submit button, or "".
func (d dom) button(form *html.Node) string {
	buttons := dom{form}.all(func(n *html.Node) bool {
		return n.Data == "button" && slices.Contains(submitTypes, attribute(n, "type"))
	})
	if len(buttons) != 1 {
		return ""
	}
	if within := d.selector(form); within != "" {
		return within + " button"
	}
	return d.selector(buttons[0])
}

func above(n *html.Node, tag string) *html.Node {
	for m := range n.Ancestors() {
		if m.Data == tag {
			return m
		}
	}
	return nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// names returns the element's id, class, name and placeholder, which often describe its
// purpose.
func names(n *html.Node) string {
	return strings.Join([]string{attribute(n, "id"), attribute(n, "class"), attribute(n, "name"), attribute(n, "placeholder")}, " ")
}
