package docs

import (
	"crypto/sha256"
	"encoding/hex"
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

// Drift finds the pages and pictures that are not what their sources say today.
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

// Hunks finds what changes from one step to the next and is shown nowhere in the
// step's chapter. A hunk that only adds may be shown as code instead of as a diff.
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
			for _, h := range hunks {
				if !shown(h, fences) {
					found = append(found, problem(page, "step %s changes this, and it is shown nowhere: %s\n%s", lesson.Number, h.Header(), h.Text))
				}
			}
		}
	}
	return found, nil
}

func shown(h source.Hunk, fences []markdown.Fence) bool {
	added, onlyAdds := h.Added()
	for _, f := range fences {
		if !f.Generated {
			continue
		}
		if f.Language == "diff" && strings.Contains(f.Text, h.Header()+"\n"+h.Text) {
			return true
		}
		if onlyAdds && f.Language != "diff" && source.Contains(f.Text, added) {
			return true
		}
	}
	return false
}

// Links finds links and pictures that lead nowhere in this repository. What is
// elsewhere is not tried: a check must not need the network.
func (s *Sources) Links(t Tree) []Problem {
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
	return found
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

// resolve gives the file, from the root, and the anchor of a link on a page.
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

// Agreement finds where the two languages are not one tutorial: a page that one lacks,
// other headings, fences, pictures or links.
func Agreement(t Tree) []Problem {
	var found []Problem
	for _, name := range t.pages("") {
		pair := other(name)
		if t[pair] == "" {
			found = append(found, problem(name, "has no %s beside it", pair))
			continue
		}
		if languageOf(name) == korean {
			continue
		}
		a, b := markdown.Parse(t[name]), markdown.Parse(t[pair])
		for _, compared := range []struct {
			what string
			of   func(markdown.Page, string) []string
		}{
			{"headings", func(p markdown.Page, _ string) []string { return headings(p) }},
			{"fences", func(p markdown.Page, _ string) []string { return fences(p) }},
			{"pictures", func(p markdown.Page, at string) []string { return addresses(t, at, pictureAddresses(p)) }},
			{"links", func(p markdown.Page, at string) []string { return addresses(t, at, p.Links) }},
		} {
			one, two := compared.of(a, name), compared.of(b, pair)
			if why := firstDifference(strings.Join(two, "\n"), strings.Join(one, "\n")); why != "nothing" {
				found = append(found, problem(pair, "has other %s than %s: %s", compared.what, name, why))
			}
		}
	}
	return found
}

func headings(p markdown.Page) (list []string) {
	for _, h := range p.Headings {
		list = append(list, strings.Repeat("#", h.Level))
	}
	return list
}

func fences(p markdown.Page) (list []string) {
	for _, f := range p.Fences {
		list = append(list, f.Language+" "+f.Text)
	}
	return list
}

func pictureAddresses(p markdown.Page) (list []string) {
	for _, picture := range p.Pictures {
		list = append(list, picture.Address)
	}
	return list
}

// addresses makes links comparable: a page stands for itself in either language, and
// an anchor for the place of its heading. Their order on the page is not compared,
// since languages order a sentence in their own way.
func addresses(t Tree, page string, targets []string) (list []string) {
	for _, target := range targets {
		if strings.Contains(target, "://") {
			list = append(list, target)
			continue
		}
		file, anchor := resolve(page, target)
		if anchor != "" {
			at := slices.IndexFunc(markdown.Parse(t[file]).Headings, func(h markdown.Heading) bool { return h.Anchor == anchor })
			anchor = fmt.Sprintf("#%d", at)
		}
		if path.Ext(file) == ".md" && languageOf(file) == korean {
			file = other(file)
		}
		list = append(list, file+anchor)
	}
	slices.Sort(list)
	return list
}

// A Lock holds the hashes of every section of every English page and its Korean
// counterpart, as they were when somebody last saw that they say the same.
type Lock map[string][]Pair

// A Pair is one section: its English title, for people, and both hashes.
type Pair struct {
	Section string `json:"section"`
	English string `json:"en"`
	Korean  string `json:"ko"`
}

// Sections locks the tree as it is.
func Sections(t Tree) Lock {
	lock := Lock{}
	for _, name := range t.pages(english) {
		a, b := written(t[name]), written(t[other(name)])
		titles := markdown.Parse(t[name]).Headings
		pairs := []Pair{}
		for i := range max(len(a), len(b)) {
			p := Pair{Section: "(top)"}
			if i > 0 && i <= len(titles) {
				p.Section = titles[i-1].Text
			}
			if i < len(a) {
				p.English = hash(a[i])
			}
			if i < len(b) {
				p.Korean = hash(b[i])
			}
			pairs = append(pairs, p)
		}
		lock[name] = pairs
	}
	return lock
}

func written(page string) []string { return markdown.Parse(markdown.Written(page)).Sections }

func hash(section string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(section)))
	return hex.EncodeToString(sum[:6])
}

func readLock(t Tree) (Lock, error) {
	lock := Lock{}
	if t[lockFile] == "" {
		return lock, nil
	}
	if err := json.Unmarshal([]byte(t[lockFile]), &lock); err != nil {
		return nil, fmt.Errorf("%s: %w", lockFile, err)
	}
	return lock, nil
}

// LookedAt finds the sections that were changed in one language while nobody said that
// the other still fits.
func LookedAt(t Tree) ([]Problem, error) {
	lock, err := readLock(t)
	if err != nil {
		return nil, err
	}
	var found []Problem
	now := Sections(t)
	for _, page := range sorted(now) {
		for i, pair := range now[page] {
			if i >= len(lock[page]) {
				found = append(found, problem(page, "the section %q is new: see that both languages say it, and run make docs-accept", pair.Section))
				continue
			}
			locked := lock[page][i]
			en, ko := pair.English != locked.English, pair.Korean != locked.Korean
			switch {
			case en && ko:
				found = append(found, problem(page, "the section %q was changed in both languages: see that they say the same, and run make docs-accept", pair.Section))
			case en:
				found = append(found, problem(page, "the section %q was changed, and not in %s: change that too, or see that it still fits and run make docs-accept", pair.Section, other(page)))
			case ko:
				found = append(found, problem(other(page), "the section %q was changed, and not in %s: change that too, or see that it still fits and run make docs-accept", pair.Section, page))
			}
		}
		if len(lock[page]) > len(now[page]) {
			found = append(found, problem(page, "has fewer sections than it had: run make docs-accept"))
		}
	}
	for _, page := range sorted(lock) {
		if now[page] == nil {
			found = append(found, problem(page, "is gone: run make docs-accept"))
		}
	}
	return found, nil
}

// Accept locks the tree as it is: both languages were looked at.
func Accept(t Tree) Tree {
	after := t.copy()
	text, err := json.MarshalIndent(Sections(t), "", "  ")
	if err != nil {
		panic(err) // strings can always be written
	}
	after[lockFile] = string(text) + "\n"
	return after
}

// Words finds, on the Korean pages, words that the glossary says not to use, and terms
// that come without their English the first time.
func Words(t Tree) ([]Problem, error) {
	terms, err := glossary(t)
	if err != nil {
		return nil, err
	}
	var found []Problem
	for _, name := range t.pages(korean) {
		page := markdown.Parse(t[name])
		prose := strings.Join(page.Prose, "\n")
		all := prose
		for _, h := range page.Headings {
			all += "\n" + h.Text
		}
		for _, term := range terms {
			for _, avoid := range term.Avoid {
				if strings.Contains(strings.ReplaceAll(all, term.Korean, ""), avoid) {
					found = append(found, problem(name, "says %q; the glossary says %q for %s", avoid, term.Korean, term.English))
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

// plainEnding is a sentence in 해라체 or 해요체.
var plainEnding = regexp.MustCompile(`[가-힣]*([^니]다|[가-힣]요|[하했되됐]음)\.( |$)`)

func excerpt(text string, at int) string {
	rest := []rune(text[at:])
	return string(rest[:min(len(rest), 24)])
}

// Check is every check in one.
func (s *Sources) Check(t Tree) ([]Problem, error) {
	drift, err := s.Drift(t)
	if err != nil {
		return nil, err
	}
	hunks, err := s.Hunks(t)
	if err != nil {
		return nil, err
	}
	unseen, err := LookedAt(t)
	if err != nil {
		return nil, err
	}
	badWords, err := Words(t)
	if err != nil {
		return nil, err
	}
	return slices.Concat(drift, hunks, s.Links(t), Agreement(t), unseen, badWords), nil
}
