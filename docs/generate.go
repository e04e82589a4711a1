package docs

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"redial/docs/internal/markdown"
	"redial/docs/internal/source"
	"redial/steps/lessons"
)

// Generate replaces the text of every directive, and draws the pictures of the pages. The
// result equals t if no page differs from its sources. The error names the first directive
// that could not be followed.
//
//	nav                                links to the other language and the neighbours
//	code FILE NAME…                    declarations of a Go file
//	script FILE [~TEXT…]               the script of a page, or its paragraphs with TEXT
//	diff STEP chat.go|index.html […]   changes of the step: in the declarations NAME,
//	                                   or in the hunks with ~TEXT; with neither, all
//	rest STEP NAME…                    names the other changes of the step, with links: declarations,
//	                                   and index.html for its script
//	run [without FROM… to TO…]         the output of the command in the directive's body
//	serve STEP [SERVERS]               the output of a step at its start
//	picture SCENARIO SUBJECT ALT       a run as a sequence diagram
//	opening ALT                        the animated picture at the top of the README
//	plot bytes|time ALT                what step 7 and step 7a cost, as a plot
//	table KIND                         a table out of the code that defines it
func (s *Sources) Generate(t Tree) (Tree, error) {
	after := maps.Clone(t)
	for name := range after {
		if path.Dir(name) == pictures {
			delete(after, name)
		}
	}
	for _, name := range t.pages("") {
		p := pageWriter{Sources: s, before: t, after: after, page: name}
		text, err := markdown.Expand(t[name], p.write)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		after[name] = text
	}
	return after, nil
}

// A pageWriter writes the generated text of one page.
type pageWriter struct {
	*Sources
	before, after Tree
	page          string
}

func (p pageWriter) write(d markdown.Directive) (string, error) {
	const many = 1 << 10
	verbs := map[string]struct {
		least, most int // arguments
		needs       string
		follow      func(markdown.Directive) (string, error)
	}{
		"nav":     {0, many, "", p.nav},
		"code":    {2, many, "a file and the names of declarations", p.code},
		"script":  {1, many, "a file", p.script},
		"diff":    {2, many, "a step and a file", p.diff},
		"rest":    {2, many, "a step and the names of what it changes", p.rest},
		"run":     {0, many, "", p.run},
		"serve":   {1, 2, "a step, and how many servers that is when it is several", p.serve},
		"picture": {3, 3, `a scenario, a server ("5", "published-7") and what it shows`, p.picture},
		"opening": {1, 1, "what it shows", p.opening},
		"plot":    {2, 2, `"bytes" or "time", and what it shows`, p.plot},
		"table":   {1, many, "a kind", p.table},
	}
	verb, ok := verbs[d.Verb]
	if !ok {
		return "", fmt.Errorf("there is no directive %q; there are %s", d.Verb, strings.Join(sorted(verbs), ", "))
	}
	if n := len(d.Arguments); n < verb.least || n > verb.most {
		return "", fmt.Errorf("%s needs %s", d.Verb, verb.needs)
	}
	return verb.follow(d)
}

func fence(language, text string) string {
	return "```" + language + "\n" + strings.TrimRight(text, "\n") + "\n```"
}

func (p pageWriter) code(d markdown.Directive) (string, error) {
	code, err := os.ReadFile(p.path(d.Arguments[0]))
	if err != nil {
		return "", err
	}
	parts, err := source.Go(code)
	if err != nil {
		return "", err
	}
	var texts []string
	for _, name := range d.Arguments[1:] {
		i := slices.IndexFunc(parts, func(part source.Part) bool { return part.Name == name })
		if i < 0 {
			return "", fmt.Errorf("%s declares no %s", d.Arguments[0], name)
		}
		texts = append(texts, parts[i].Text)
	}
	return fence("go", strings.Join(texts, "\n\n")), nil
}

func (p pageWriter) script(d markdown.Directive) (string, error) {
	page, err := os.ReadFile(p.path(d.Arguments[0]))
	if err != nil {
		return "", err
	}
	script := source.Script(page)
	if len(d.Arguments) == 1 {
		return fence("js", script), nil
	}
	var texts []string
	for _, wanted := range d.Arguments[1:] {
		found := false
		for _, part := range source.Paragraphs(script) {
			if strings.Contains(part, strings.TrimPrefix(wanted, "~")) {
				texts, found = append(texts, part), true
			}
		}
		if !found {
			return "", fmt.Errorf("no paragraph of the script in %s has %q", d.Arguments[0], wanted)
		}
	}
	return fence("js", strings.Join(slices.Compact(texts), "\n\n")), nil
}

func (p pageWriter) diff(d markdown.Directive) (string, error) {
	hunks, err := p.changes(d.Arguments[0])
	if err != nil {
		return "", err
	}
	var texts []string
	taken := map[string]bool{}
	for _, h := range hunks {
		if h.File != d.Arguments[1] {
			continue
		}
		wanted := len(d.Arguments) == 2
		for _, a := range d.Arguments[2:] {
			text, about := strings.CutPrefix(a, "~")
			if h.Part == a || about && strings.Contains(h.Text, text) {
				wanted, taken[a] = true, true
			}
		}
		if wanted {
			texts = append(texts, h.Header()+"\n"+h.Text)
		}
	}
	for _, a := range d.Arguments[2:] {
		if !taken[a] {
			return "", fmt.Errorf("step %s changes nothing in %s at %s", d.Arguments[0], d.Arguments[1], a)
		}
	}
	if len(texts) == 0 {
		return "", fmt.Errorf("step %s changes nothing in %s", d.Arguments[0], d.Arguments[1])
	}
	return fence("diff", strings.Join(texts, "\n")), nil
}

// rest names and links the changes of a step that its chapter does not show, so that a
// reader finds them.
func (p pageWriter) rest(d markdown.Directive) (string, error) {
	number := d.Arguments[0]
	hunks, err := p.changes(number)
	if err != nil {
		return "", err
	}
	folder, inScript := "../../steps/step"+number+"/", false
	var names []string
	for _, name := range d.Arguments[1:] {
		if !slices.ContainsFunc(hunks, func(h source.Hunk) bool { return named(h, name) }) {
			return "", fmt.Errorf("step %s changes nothing at %s", number, name)
		}
		if name == scriptFile {
			inScript = true
		} else {
			names = append(names, "`"+name+"`")
		}
	}
	text, script := "Not shown here, in [`chat.go`](%schat.go): %s.", " The page's script is in [`index.html`](%sindex.html)."
	if languageOf(p.page) == korean {
		text, script = "여기에 싣지 않은 변경은 [`chat.go`](%schat.go)에 있습니다: %s.", " 페이지의 스크립트는 [`index.html`](%sindex.html)에 있습니다."
	}
	text = fmt.Sprintf(text, folder, strings.Join(names, ", "))
	if inScript {
		text += fmt.Sprintf(script, folder)
	}
	return text, nil
}

// scriptFile is the name of the page's script in rest, because a script has no declarations.
const scriptFile = "index.html"

// named reports whether a name in rest refers to the hunk.
func named(h source.Hunk, name string) bool { return h.Part == name || h.Part == "" && h.File == name }

// before returns the step that a step is compared with; "" for the first.
func before(number string) (string, error) {
	switch number {
	case "8": // 7a is an alternative to 7, so 8 continues 7
		return "7", nil
	case "10": // 10 runs on one server, as 8 does, and has none of the code of 9
		return "8", nil
	}
	switch i := slices.IndexFunc(lessons.All, func(l lessons.Lesson) bool { return l.Number == number }); i {
	case -1:
		return "", fmt.Errorf("there is no step %s", number)
	case 0:
		return "", nil
	default:
		return lessons.All[i-1].Number, nil
	}
}

func (s *Sources) changes(number string) ([]source.Hunk, error) {
	older, err := before(number)
	if err != nil {
		return nil, err
	}
	var steps [2]source.Step
	for i, n := range []string{older, number} {
		if n == "" {
			continue
		}
		if steps[i].Chat, err = os.ReadFile(s.path("steps/step" + n + "/chat.go")); err != nil {
			return nil, err
		}
		if steps[i].Page, err = os.ReadFile(s.path("steps/step" + n + "/index.html")); err != nil {
			return nil, err
		}
	}
	return source.Changes(steps[0], steps[1])
}

func (s *Sources) path(name string) string { return filepath.Join(s.Root, filepath.FromSlash(name)) }

// chapters returns the pages in reading order, as paths within a language's folder.
func chapters(t Tree) []string {
	order := []string{"index"}
	for _, lesson := range lessons.All {
		order = append(order, "step-"+lesson.Number)
	}
	order = append(order, "how-recovery-works", "how-delivery-works", "why-recovery-is-not-on", "how-to-read-a-report", "your-own-server", "what-we-found", "architecture", "go-for-javascript-readers", "glossary")
	return slices.DeleteFunc(order, func(name string) bool { return t["docs/en/"+name+".md"] == "" })
}

// nav writes links to the other language and to the previous and next page.
func (p pageWriter) nav(markdown.Directive) (string, error) {
	order := chapters(p.before)
	name := strings.TrimSuffix(path.Base(p.page), ".md")
	at := slices.Index(order, name)
	if at < 0 {
		return "", fmt.Errorf("%s is not among the chapters: add it to the list in generate.go", name)
	}
	links := []string{fmt.Sprintf("[한국어](../ko/%s.md)", name)}
	contents := "Contents"
	if languageOf(p.page) == korean {
		links = []string{fmt.Sprintf("[English](../en/%s.md)", name)}
		contents = "차례"
	}
	if at > 1 {
		links = append(links, fmt.Sprintf("← [%s](%s.md)", p.title(order[at-1]), order[at-1]))
	}
	if at > 0 {
		links = append(links, fmt.Sprintf("[%s](index.md)", contents))
	}
	if at+1 < len(order) {
		links = append(links, fmt.Sprintf("[%s](%s.md) →", p.title(order[at+1]), order[at+1]))
	}
	return strings.Join(links, " · "), nil
}

// title returns the first heading of a chapter in this page's language.
func (p pageWriter) title(chapter string) string {
	for _, line := range strings.Split(p.before["docs/"+languageOf(p.page)+"/"+chapter+".md"], "\n") {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			return title
		}
	}
	return chapter
}
