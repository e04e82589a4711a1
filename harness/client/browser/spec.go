package browser

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"redial/harness/protocol"
)

// A Spec describes how a user operates the application's page. It is the section "page" of a
// redial.yaml, and the tags describe its fields. In With and in Text, {{client}}, {{other}} and
// {{view}} are replaced by the client's name, that of the other client if there are two, and the
// number of page loads.
type Spec struct {
	Path  string `json:"url,omitempty" jsonschema_description:"The path of the page (default /), or its http address where another server serves it: its Socket.IO connections then go to the target"`
	Enter []Step `json:"enter,omitempty" jsonschema_description:"What a person does after every load before messages can be sent"`
	// Conversation is performed after every load too, so that the client sees what it receives.
	Conversation []Step `json:"conversation,omitempty" jsonschema_description:"What a person does to open the conversation, where the page shows it only then, such as a click on the other user: after every load as soon as the element of the first step is there, and before each message"`
	// Without Input, clients send no messages.
	Input    string `json:"input,omitempty" jsonschema_description:"The CSS selector of the element that messages are typed into"`
	Submit   string `json:"submit,omitempty" jsonschema_description:"The CSS selector of the element to click to send a message"`
	Press    string `json:"press,omitempty" jsonschema:"enum=Enter,enum=Tab,enum=Escape" jsonschema_description:"The key to press to send a message"`
	Messages string `json:"messages" jsonschema_description:"The CSS selector of the messages: the text of each element is one message"`
	// With Without, white space at the ends of a text does not count either: it may be the
	// page's template's.
	Without     string `json:"without,omitempty" jsonschema_description:"The CSS selector of what the element of a message has beside its text, such as the sender's name and the time"`
	NewestFirst bool   `json:"newestFirst,omitempty" jsonschema_description:"Whether the newest message is the first in the list (default false)"`
}

// A Step is one of Fill, Press, Click and Await.
type Step struct {
	Fill  string `json:"fill,omitempty" jsonschema_description:"The CSS selector of an element to type into"`
	With  string `json:"with,omitempty" jsonschema_description:"What to type; may contain {{client}}, {{other}} and {{view}}"`
	Press string `json:"press,omitempty" jsonschema:"enum=Enter,enum=Tab,enum=Escape" jsonschema_description:"A key to press"`
	Click string `json:"click,omitempty" jsonschema_description:"The CSS selector of an element to click"`
	// Await waits until the element is visible.
	Await string `json:"await,omitempty" jsonschema_description:"The CSS selector of an element to wait for"`
	Text  string `json:"text,omitempty" jsonschema_description:"Which of the elements that the selector selects: the first whose text contains this, such as {{other}}; may contain {{client}}, {{other}} and {{view}}"`
	// After a skipped step, a step with Press is skipped too.
	Optional bool `json:"optional,omitempty" jsonschema_description:"Skip the step where the element does not appear within two seconds, because the page remembers the user"`
}

// keys maps the keys that a step can press to the runes that chromedp has for them.
var keys = map[string]rune{"Enter": '\r', "Tab": '\t', "Escape": '\x1b'}

// Validate returns an error that names each field with a wrong value, or nil.
func (s *Spec) Validate() error {
	var wrong []error
	is := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	key := func(field, name string) {
		is(name != "" && keys[name] == 0, "%s: there is no key %q; there are Enter, Tab and Escape", field, name)
	}
	is(s.Path != "" && !strings.HasPrefix(s.Path, "/") && !s.elsewhere(), "url: %q begins neither with a slash nor with http:// or https://", s.Path)
	is(s.Messages == "", "messages is missing: the selector of the messages")
	is(s.Input != "" && (s.Submit == "") == (s.Press == ""), "submit, press: one of them is needed, and not both")
	is(s.Input == "" && (s.Submit != "" || s.Press != ""), "input is missing: the selector of the element that messages are typed into")
	key("press", s.Press)
	check := func(name string, step Step) {
		acts := 0
		for _, act := range []string{step.Fill, step.Press, step.Click, step.Await} {
			if act != "" {
				acts++
			}
		}
		is(acts != 1, "%s: it needs one of fill, press, click and await", name)
		is(step.With != "" && step.Fill == "", "%s: with needs fill", name)
		is((step.Optional || step.Text != "") && step.Press != "", "%s: optional and text need an element to look for; a key has none", name)
		key(name+": press", step.Press)
	}
	for i, step := range s.Enter {
		check(fmt.Sprintf("enter, step %d", i+1), step)
	}
	for i, step := range s.Conversation {
		check(fmt.Sprintf("conversation, step %d", i+1), step)
		is(i == 0 && step.Press != "", "conversation, step 1: it needs an element, which tells when the conversation can be opened")
	}
	return errors.Join(wrong...)
}

// Pairwise tells whether a step names the other client, which needs two clients.
func (s *Spec) Pairwise() bool {
	return slices.ContainsFunc(slices.Concat(s.Enter, s.Conversation), func(step Step) bool {
		return protocol.Mentions([]any{step.With, step.Text}, protocol.Other)
	})
}

// elsewhere tells whether another server than the one under test serves the page.
func (s *Spec) elsewhere() bool {
	address, err := url.Parse(s.Path)
	return err == nil && (address.Scheme == "http" || address.Scheme == "https") && address.Host != ""
}

// fill fills in a template. With a space in front, protocol.Fill returns a string also for a number
// or an unknown name.
func (c *Client) fill(template string) string {
	return protocol.Fill(" "+template, protocol.Values{
		protocol.Client: c.options.Name, protocol.Other: c.options.Other, "view": c.Status().View,
	}).(string)[1:]
}
