package exercises

import (
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// A Copy is the code that a learner edits: a package in steps/exercise7, for example, which
// git ignores, with a small main package that serves it. It must be below steps, because Go
// allows imports of steps/internal only there.
type Copy struct {
	Exercise
	// Root is the folder of the kit, and Folder that of the copy.
	Root, Folder string
}

// Root finds the kit's folder: the working folder or one of its parents.
func Root() (string, error) {
	folder, err := os.Getwd()
	for err == nil {
		text, missing := os.ReadFile(filepath.Join(folder, "go.mod"))
		if missing == nil && strings.HasPrefix(string(text), "module redial\n") {
			return folder, nil
		}
		if filepath.Dir(folder) == folder {
			return "", errors.New("this is not in Redial's own folder: change into it, and try again")
		}
		folder = filepath.Dir(folder)
	}
	return "", err
}

// CopyOf returns the copy of an exercise in the kit, whether it exists or not.
func CopyOf(root string, e Exercise) Copy {
	c := Copy{Exercise: e, Root: root}
	c.Folder = filepath.Join(root, filepath.FromSlash(c.Path()))
	return c
}

// Path is the copy's folder relative to the kit, with slashes.
func (c Copy) Path() string { return "steps/exercise" + c.Step }

// Exists reports whether the learner has started the copy.
func (c Copy) Exists() (bool, error) {
	_, err := os.Stat(c.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Start creates the copy, and replaces an existing one.
func (c Copy) Start() error {
	files, err := c.start()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(c.Folder); err != nil {
		return err
	}
	if files["serve/main.go"], err = c.program(); err != nil {
		return err
	}
	return c.write(files)
}

func (c Copy) write(files map[string]string) error {
	for name, text := range files {
		file := filepath.Join(c.Folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// start returns the code that the exercise starts from, by file name.
func (c Copy) start() (map[string]string, error) {
	files, err := c.ofStep(c.Step)
	if err != nil {
		return nil, err
	}
	for name, text := range files {
		if files[name], err = apply(name, text, c.Changes); err != nil {
			return nil, fmt.Errorf("exercise %s no longer fits the code of step %s: %w", c.Step, c.Step, err)
		}
	}
	return files, nil
}

func (c Copy) solution() (map[string]string, error) { return c.ofStep(c.Solution) }

var packageClause = regexp.MustCompile(`(?s)\A// Package .*?\npackage step\w+\n`)

// ofStep returns the code of a step as the copy's package. It removes the step's package
// comment, which would reveal the solution.
func (c Copy) ofStep(step string) (map[string]string, error) {
	files := map[string]string{}
	for _, name := range []string{"chat.go", "index.html"} {
		text, err := os.ReadFile(filepath.Join(c.Root, "steps", "step"+step, name))
		if err != nil {
			return nil, err
		}
		files[name] = string(text)
	}
	clause := fmt.Sprintf("// Package exercise%s is your copy for the exercise of step %[1]s: change this file and\n// index.html, and run make exercise-%[1]s.\npackage exercise%[1]s\n", c.Step)
	files["chat.go"] = packageClause.ReplaceAllLiteralString(files["chat.go"], clause)
	return files, nil
}

// Diff returns the changes from the starting code to the solution.
func (c Copy) Diff() (string, error) {
	before, err := c.start()
	if err != nil {
		return "", err
	}
	after, err := c.solution()
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(before)) {
		all.Write(diff.Diff(c.Path()+"/"+name, []byte(before[name]), "solution/"+name, []byte(after[name])))
	}
	return all.String(), nil
}

// program returns the copy's main package.
func (c Copy) program() (string, error) {
	text, err := format.Source([]byte(strings.ReplaceAll(program, "NUMBER", c.Step)))
	return string(text), err
}

// pauses is the environment variable with the longest pause of the copy's database.
const pauses = "REDIAL_PAUSES"

// A race condition that appears in one of a hundred runs teaches nothing, so the check slows
// the copy's database down and reads a few rows at a time, as package seam does in the
// virtual lab. The virtual lab itself cannot run a learner's code: its clock stops while any
// goroutine waits for a sync.Mutex, which is the first solution that many learners try.
const program = `// Command serve runs your copy. It belongs to the exercise: there is nothing to change.
package main

import (
	"io"
	"net/http"
	"os"
	"time"

	"redial/harness/seam"
	exercise "redial/steps/exerciseNUMBER"
	"redial/steps/lessons"
)

func main() {
	lessons.All = []lessons.Lesson{{Number: "NUMBER", Title: "your copy", New: start, Page: exercise.Page}}
	arguments := os.Args[1:]
	if len(arguments) == 0 {
		arguments = []string{"NUMBER"}
	}
	os.Exit(lessons.Main(arguments))
}

// start slows the database down while the copy is checked, so that a race shows each time.
func start(settings lessons.Settings) (http.Handler, io.Closer, error) {
	if longest, err := time.ParseDuration(os.Getenv("` + pauses + `")); err == nil {
		seam.Open(settings.DataDir, seam.Seams{Seed: 1, Longest: longest})
		settings.Driver, settings.ReplayPage = seam.Driver, 3
	}
	return exercise.New(settings)
}
`
