package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A row for code that has changed explains nothing any more.
func TestEachExplainedMutantIsStillThere(t *testing.T) {
	t.Chdir("../../..")
	rows := 0
	for _, of := range targets {
		explained, _ := os.ReadFile(filepath.Join(of.folder, "mutants.md")) // the file is optional
		var names strings.Builder
		paths, err := filepath.Glob(filepath.Join(of.folder, of.files))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, _, mutants, err := mutate(filepath.Base(path), string(source), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range mutants {
				names.WriteString("| " + m.name() + " |\n")
			}
		}
		_, table, _ := strings.Cut(string(explained), "|---|")
		for line := range strings.Lines(table) {
			cells := strings.SplitAfter(line, " | ")
			if len(cells) < 3 {
				continue
			}
			rows++
			if name := cells[0] + strings.TrimSuffix(cells[1], " ") + "\n"; !strings.Contains(names.String(), name) {
				t.Errorf("%s/mutants.md: no mutant is %s", of.folder, name)
			}
		}
	}
	if rows == 0 {
		t.Error("no row was looked up")
	}
}
