// Package docs generates the parts of the tutorial that come from the code, and checks the
// rest.
//
// Read [Load] and [Tree.Write] first (`make docs` calls these two), then check.go, where every
// check is a function from the tree to its problems. STYLE.md describes how pages are written;
// generate.go has the directives.
//
// A tree is plain text in memory, so that a test can break a page and see that the check
// notices. docs may import everything else in the module, and nothing imports docs.
package docs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Tree maps paths from the module's root, with slashes, to the tutorial's files: the
// pages, the pictures, and the data of the checks.
type Tree map[string]string

// A Problem is one defect of a page and how to fix it, in one line.
type Problem struct{ Page, What string }

func (p Problem) String() string { return p.Page + ": " + p.What }

func problem(page, what string, values ...any) Problem {
	return Problem{page, fmt.Sprintf(what, values...)}
}

const (
	lockFile     = "docs/lock.json"
	glossaryFile = "docs/glossary.json"
	englishFile  = "docs/english.json"
	wordsFile    = "docs/words.json"
	pictures     = "docs/pictures"
	histories    = "docs/histories"
)

// The languages, and the module's README in each of them.
const (
	english, korean             = "en", "ko"
	englishReadme, koreanReadme = "README.md", "docs/ko/README.md"
)

// Load reads the tree from the folder root.
func Load(root string) (Tree, error) {
	t := Tree{}
	for _, from := range []string{"README.md", "docs/en", "docs/ko", pictures, histories, lockFile, glossaryFile, englishFile, wordsFile, measuredFile} {
		err := filepath.WalkDir(filepath.Join(root, filepath.FromSlash(from)), func(name string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(root, name)
			t[filepath.ToSlash(relative)] = string(text)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Write writes the tree's files below root, and returns the paths of those that changed.
func (t Tree) Write(root string) (changed []string, err error) {
	before, err := Load(root)
	if err != nil {
		return nil, err
	}
	for _, name := range sorted(t) {
		if before[name] == t[name] {
			continue
		}
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return changed, err
		}
		if err := os.WriteFile(file, []byte(t[name]), 0o644); err != nil {
			return changed, err
		}
		changed = append(changed, name)
	}
	for _, name := range sorted(before) {
		if _, kept := t[name]; !kept {
			if err := os.Remove(filepath.Join(root, filepath.FromSlash(name))); err != nil {
				return changed, err
			}
			changed = append(changed, name)
		}
	}
	return changed, nil
}

// pages lists the pages of a language; an empty language means both.
func (t Tree) pages(language string) []string {
	var names []string
	for _, name := range sorted(t) {
		if path.Ext(name) == ".md" && (language == "" || languageOf(name) == language) {
			names = append(names, name)
		}
	}
	return names
}

func languageOf(page string) string {
	if strings.HasPrefix(page, "docs/ko/") {
		return korean
	}
	return english
}

// other returns the path of the same page in the other language.
func other(page string) string {
	switch {
	case page == englishReadme:
		return koreanReadme
	case page == koreanReadme:
		return englishReadme
	case languageOf(page) == korean:
		return "docs/en/" + strings.TrimPrefix(page, "docs/ko/")
	}
	return "docs/ko/" + strings.TrimPrefix(page, "docs/en/")
}

func sorted[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
