package docs

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"redial/docs/internal/markdown"
	"redial/docs/internal/source"
	"redial/steps/lessons"
)

// Drift finds pages and pictures that differ from their sources.
func (s *Sources) Drift(t Tree) ([]Problem, error) {
	fresh, err := s.Generate(t)
	if err != nil {
		return nil, err
	}
	var found []Problem
	for _, name := range sorted(fresh) {
		if t[name] != fresh[name] {
			found = append(found, problem(name, "differs from its source: run make docs and read what has changed (%s)", firstDifference(t[name], fresh[name])))
		}
	}
	for _, name := range sorted(t) {
		if _, kept := fresh[name]; !kept {
			found = append(found, problem(name, "is a picture that no page shows: run make docs"))
		}
	}
	return found, nil
}

func firstDifference(before, after string) string {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("line %d is new: %.100q", i+1, b[i])
		case i >= len(b):
			return fmt.Sprintf("line %d is gone: %.100q", i+1, a[i])
		case a[i] != b[i]:
			return fmt.Sprintf("line %d: %.100q should be %.100q", i+1, a[i], b[i])
		}
	}
	return "nothing"
}

// Hunks finds changes of a step that its chapter neither shows nor names in a rest
// directive. A chapter may show a hunk as code instead of as a diff: the added lines or, if
// the hunk also removes lines, the resulting code.
func (s *Sources) Hunks(t Tree) ([]Problem, error) {
	var found []Problem
	for _, lesson := range lessons.All {
		name := "docs/en/step-" + lesson.Number + ".md"
		if t[name] == "" {
			continue
		}
		hunks, err := s.changes(lesson.Number)
		if err != nil {
			return nil, err
		}
		for _, page := range []string{name, other(name)} {
			fences := markdown.Parse(t[page]).Fences
			var rest []string
			for _, d := range markdown.Directives(t[page]) {
				if d.Verb == "rest" {
					rest = append(rest, d.Arguments...)
				}
			}
			for _, h := range hunks {
				left := slices.ContainsFunc(rest, func(name string) bool { return named(h, name) })
				if !left && !shown(h, fences) {
					found = append(found, problem(page, "step %s changes this, and it is shown nowhere: %s\n%s", lesson.Number, h.Header(), h.Text))
				}
			}
		}
	}
	return found, nil
}

func shown(h source.Hunk, fences []markdown.Fence) bool {
	code := h.Code()
	for _, f := range fences {
		if !f.Generated {
			continue
		}
		if f.Language == "diff" && strings.Contains(f.Text, h.Header()+"\n"+h.Text) {
			return true
		}
		if code != "" && f.Language != "diff" && source.Contains(f.Text, code) {
			return true
		}
	}
	return false
}

// Links finds links and pictures that lead nowhere in this repository. External links are
// not followed, because a check must not need the network.
func (s *Sources) Links(t Tree) ([]Problem, error) {
	parsed := map[string]markdown.Page{}
	for _, name := range t.pages("") {
		parsed[name] = markdown.Parse(t[name])
	}
	var found []Problem
	for _, name := range t.pages("") {
		targets := parsed[name].Links
		for _, p := range parsed[name].Pictures {
			targets = append(targets, p.Address)
			if p.Alt == "" {
				found = append(found, problem(name, "the picture %s has no text for who does not see it", p.Address))
			}
		}
		for _, target := range targets {
			if why := s.dead(t, parsed, name, target); why != "" {
				found = append(found, problem(name, "the link %s is dead: %s", target, why))
			}
		}
	}
	return found, nil
}

func (s *Sources) dead(t Tree, parsed map[string]markdown.Page, from, target string) string {
	link, err := url.Parse(target)
	if err != nil {
		return err.Error()
	}
	if link.Scheme == "https" || link.Scheme == "http" {
		return ""
	}
	file, anchor := resolve(from, target)
	if _, ok := t[file]; !ok {
		if _, err := os.Stat(s.path(file)); err != nil {
			return "there is no " + file
		}
	}
	if anchor == "" {
		return ""
	}
	page, ok := parsed[file]
	if !ok || !slices.ContainsFunc(page.Headings, func(h markdown.Heading) bool { return h.Anchor == anchor }) {
		return fmt.Sprintf("%s has no heading #%s", file, anchor)
	}
	return ""
}

// resolve returns the target file, relative to the root, and the anchor of a link on a page.
func resolve(from, target string) (file, anchor string) {
	target, anchor, _ = strings.Cut(target, "#")
	if plain, err := url.PathUnescape(anchor); err == nil {
		anchor = plain
	}
	if target == "" {
		return from, anchor
	}
	return path.Join(path.Dir(from), target), anchor
}

// Words finds Korean words that the glossary forbids, and terms whose first use on a page
// lacks the English term.
func Words(t Tree) ([]Problem, error) {
	terms, err := glossary(t)
	if err != nil {
		return nil, err
	}
	var found []Problem
	for _, name := range t.pages(korean) {
		page := markdown.Parse(t[name])
		prose := strings.Join(page.Prose, "\n")
		all := withHeadings(page)
		for _, term := range terms {
			for _, avoid := range term.Avoid {
				if strings.Contains(strings.ReplaceAll(all, term.Korean, ""), avoid) {
					found = append(found, problem(name, "has %q; the glossary has %q for %s", avoid, term.Korean, term.English))
				}
			}
			first := strings.Index(prose, term.Korean)
			if first < 0 || path.Base(name) == "glossary.md" {
				continue
			}
			if !strings.HasPrefix(prose[first+len(term.Korean):], "("+term.English+")") {
				found = append(found, problem(name, "the first %q should be %q", excerpt(prose, first), term.Korean+"("+term.English+")"))
			}
		}
		for _, sentence := range page.Prose {
			if ending := plainEnding.FindString(sentence); ending != "" {
				found = append(found, problem(name, "a sentence ends in %q; the pages use 합니다체", ending))
			}
		}
	}
	return found, nil
}

// plainEnding matches a sentence in 해라체 or 해요체. The ending 하세요 is allowed, because
// instructions use it.
var plainEnding = regexp.MustCompile(`[가-힣]*([^니]다|[가-힣]*[^세]요|[하했되됐]음)\.( |$)`)

// English finds everyday words on the English pages for which the field has a term.
func English(t Tree) ([]Problem, error) {
	var words []struct {
		Avoid string `json:"avoid"` // a regular expression that ignores case
		Use   string `json:"use"`
	}
	if err := json.Unmarshal([]byte(t[englishFile]), &words); err != nil {
		return nil, fmt.Errorf("%s: %w", englishFile, err)
	}
	var found []Problem
	for _, name := range t.pages(english) {
		text := withHeadings(markdown.Parse(t[name]))
		for _, word := range words {
			avoid, err := regexp.Compile("(?i)" + word.Avoid)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", englishFile, err)
			}
			if at := avoid.FindStringIndex(text); at != nil {
				found = append(found, problem(name, "has %q in %q; write %s", text[at[0]:at[1]], excerpt(text, max(0, at[0]-20)), word.Use))
			}
		}
	}
	return found, nil
}

// withHeadings returns the prose of a page, and its headings behind that.
func withHeadings(page markdown.Page) string {
	text := strings.Join(page.Prose, "\n")
	for _, h := range page.Headings {
		text += "\n" + h.Text
	}
	return text
}

func excerpt(text string, at int) string {
	rest := []rune(text[at:])
	return string(rest[:min(len(rest), 24)])
}

// Check runs every check.
func (s *Sources) Check(t Tree) ([]Problem, error) {
	var found []Problem
	for _, check := range []func(Tree) ([]Problem, error){s.Drift, s.Hunks, s.Links, Agreement, LookedAt, Words, English} {
		problems, err := check(t)
		if err != nil {
			return nil, err
		}
		found = append(found, problems...)
	}
	return found, nil
}
