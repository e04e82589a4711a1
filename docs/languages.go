package docs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"redial/docs/internal/markdown"
)

// Agreement finds differences between the two languages: a page that only one of them has,
// and different headings, fences, pictures or links.
func Agreement(t Tree) ([]Problem, error) {
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
			{"headings", func(p markdown.Page, _ string) []string {
				return each(p.Headings, func(h markdown.Heading) string { return strings.Repeat("#", h.Level) })
			}},
			{"fences", func(p markdown.Page, _ string) []string {
				return each(p.Fences, func(f markdown.Fence) string { return f.Language + " " + f.Text })
			}},
			{"pictures", func(p markdown.Page, at string) []string {
				return addresses(t, at, each(p.Pictures, func(p markdown.Picture) string { return p.Address }))
			}},
			{"links", func(p markdown.Page, at string) []string { return addresses(t, at, p.Links) }},
		} {
			one, two := compared.of(a, name), compared.of(b, pair)
			if why := firstDifference(strings.Join(two, "\n"), strings.Join(one, "\n")); why != "nothing" {
				found = append(found, problem(pair, "has other %s than %s: %s", compared.what, name, why))
			}
		}
	}
	return found, nil
}

func each[Part any](parts []Part, text func(Part) string) (list []string) {
	for _, p := range parts {
		list = append(list, text(p))
	}
	return list
}

// addresses makes links of the two languages comparable: it removes the language from the
// address of a page or a picture, and replaces an anchor by the position of its heading. It
// ignores the order of links, because word order differs between languages.
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
		if stem, ok := strings.CutSuffix(file, koreanPicture+".svg"); ok && languageOf(page) == korean {
			file = stem + ".svg"
		}
		list = append(list, file+anchor)
	}
	slices.Sort(list)
	return list
}

// A Lock holds the hashes of every section of every English page and of its Korean
// counterpart, from the last time that a person confirmed that both agree.
type Lock map[string][]Pair

// A Pair holds both hashes of a section, and its English title for readers of the file.
type Pair struct {
	Section string `json:"section"`
	English string `json:"en"`
	Korean  string `json:"ko"`
}

// Sections returns the lock for the current tree.
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

// LookedAt finds sections that changed in one language before anybody confirmed that the
// other one still fits.
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

// Accept records the current tree as confirmed in both languages.
func Accept(t Tree) Tree {
	after := maps.Clone(t)
	text, err := json.MarshalIndent(Sections(t), "", "  ")
	if err != nil {
		panic(err) // strings always have JSON
	}
	after[lockFile] = string(text) + "\n"
	return after
}
