// Package markdown parses a page: its sections, links, pictures and fences, and the directives
// above generated text.
//
// Read [Parse] for the parts of a page, and [Expand] for inserting generated text. A directive
// is an HTML comment, which a code host does not show:
//
//	<!-- redial: code steps/step7/chat.go chat.say -->
//	…generated text, replaced at each run…
//	<!-- /redial -->
//
// github.com/yuin/goldmark does the parsing, as GitHub would. markdown must not know the
// meaning of a directive.
package markdown

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// A Page holds the parts of a page, each kind in the order of the page.
type Page struct {
	Headings []Heading
	// Sections are the texts between headings; the first is the text above all headings.
	Sections []string
	Links    []string
	Pictures []Picture
	Fences   []Fence
	// Prose holds the paragraphs that a person wrote: no headings, no code and no generated
	// text.
	Prose []string
}

// A Heading is a title, with the anchor that a code host derives from it.
type Heading struct {
	Level        int
	Text, Anchor string
}

type Picture struct{ Address, Alt string }

// A Fence is a block of code. Generated is set if the block stands under a directive.
type Fence struct {
	Language, Text string
	Generated      bool
}

var reader = goldmark.New(goldmark.WithExtensions(extension.GFM))

// Parse parses a page.
func Parse(page string) Page {
	code := []byte(page)
	generated := generatedRanges(page)
	inside := func(at int) bool {
		for _, r := range generated {
			if at >= r[0] && at < r[1] {
				return true
			}
		}
		return false
	}
	var p Page
	used := map[string]int{}
	begins := []int{0}
	root := reader.Parser().Parse(text.NewReader(code))
	// Walk returns only the errors of its callback.
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			title := plain(n, code)
			begins = append(begins, lineStart(page, n.Lines().At(0).Start))
			p.Headings = append(p.Headings, Heading{n.Level, title, anchor(title, used)})
		case *ast.Link:
			p.Links = append(p.Links, string(n.Destination))
		case *ast.AutoLink:
			p.Links = append(p.Links, string(n.URL(code)))
		case *ast.Image:
			p.Pictures = append(p.Pictures, Picture{string(n.Destination), plain(n, code)})
		case *ast.FencedCodeBlock:
			var lines strings.Builder
			at := 0
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				at = line.Start
				lines.Write(line.Value(code))
			}
			p.Fences = append(p.Fences, Fence{string(n.Language(code)), lines.String(), inside(at)})
		case *ast.Paragraph, *ast.TextBlock:
			if n.Lines().Len() > 0 && !inside(n.Lines().At(0).Start) {
				p.Prose = append(p.Prose, plain(n, code))
			}
		}
		return ast.WalkContinue, nil
	})
	for i, from := range begins {
		to := len(page)
		if i+1 < len(begins) {
			to = begins[i+1]
		}
		p.Sections = append(p.Sections, page[from:to])
	}
	return p
}

func lineStart(page string, at int) int { return strings.LastIndex(page[:at], "\n") + 1 }

// plain returns the text of a node without markup and code.
func plain(n ast.Node, source []byte) string {
	var out strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			out.Write(n.Value(source))
			if n.SoftLineBreak() {
				out.WriteByte(' ')
			}
		case *ast.CodeSpan:
			if !inHeading(n) {
				out.WriteString(" ` ")
				return ast.WalkSkipChildren, nil
			}
		}
		return ast.WalkContinue, nil
	})
	return out.String()
}

func inHeading(n ast.Node) bool {
	for ; n != nil; n = n.Parent() {
		if n.Kind() == ast.KindHeading {
			return true
		}
	}
	return false
}

// anchor derives the anchor as GitHub does: lower case, no punctuation, dashes for spaces,
// and a number if an earlier heading has the same anchor.
func anchor(title string, used map[string]int) string {
	var out strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ':
			out.WriteByte('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			out.WriteRune(r)
		}
	}
	name := out.String()
	n := used[name]
	used[name]++
	if n > 0 {
		return fmt.Sprintf("%s-%d", name, n)
	}
	return name
}

// A Directive requests generated text.
type Directive struct {
	// Verb is the kind of text; Arguments is the rest of its line, split at spaces outside
	// quotation marks; Body is the remaining lines of the comment.
	Verb      string
	Arguments []string
	Body      string
}

var block = regexp.MustCompile(`(?ms)^<!-- redial: (.*?)-->\n(.*?)^<!-- /redial -->$`)
var opening = regexp.MustCompile(`(?m)^<!-- redial:`)
var word = regexp.MustCompile(`"[^"]*"|\S+`)

func generatedRanges(page string) [][]int { return block.FindAllStringIndex(page, -1) }

func Directives(page string) (list []Directive) {
	for _, found := range block.FindAllStringSubmatch(page, -1) {
		list = append(list, parseDirective(found[1]))
	}
	return list
}

// Expand replaces the generated text of every directive, and leaves the rest of the page
// unchanged.
func Expand(page string, write func(Directive) (string, error)) (string, error) {
	if open, whole := len(opening.FindAllString(page, -1)), len(generatedRanges(page)); open != whole {
		return page, fmt.Errorf("%d directives begin, and %d of them have their <!-- /redial --> on a line of its own", open, whole)
	}
	var failed error
	out := block.ReplaceAllStringFunc(page, func(found string) string {
		order := block.FindStringSubmatch(found)[1]
		if strings.Contains(strings.TrimPrefix(found, "<!-- redial:"), "\n<!-- redial:") {
			failed = fmt.Errorf("the directive %q has no <!-- /redial -->", strings.TrimSpace(order))
			return found
		}
		text, err := write(parseDirective(order))
		if err != nil {
			if failed == nil {
				failed = fmt.Errorf("%s: %w", strings.TrimSpace(order), err)
			}
			return found
		}
		return "<!-- redial: " + order + "-->\n" + strings.TrimRight(text, "\n") + "\n<!-- /redial -->"
	})
	return out, failed
}

func parseDirective(order string) Directive {
	first, body, _ := strings.Cut(order, "\n")
	var words []string
	for _, w := range word.FindAllString(first, -1) {
		words = append(words, strings.Trim(w, `"`))
	}
	d := Directive{Body: strings.TrimSpace(body)}
	if len(words) > 0 {
		d.Verb, d.Arguments = words[0], words[1:]
	}
	return d
}

// Written returns the page without its generated text but with the directives: the part that
// its author is responsible for.
func Written(page string) string { return block.ReplaceAllString(page, "<!-- redial: $1-->") }
