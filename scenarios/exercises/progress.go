package exercises

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"redial/harness/check"
	"redial/harness/report"
)

// Progress is what is remembered of an exercise, in a file in its copy's folder: to start
// again is to forget it.
type Progress struct {
	// Answer is the choice that the learner has predicted.
	Answer string `json:"answer,omitempty"`
	// Hints is how many were shown.
	Hints int `json:"hints,omitempty"`
	// Outcomes are those of the last check, by scenario.
	Outcomes map[string]check.Outcome `json:"outcomes,omitempty"`
}

// A State is how far an exercise is.
type State int

// The states, in their order.
const (
	NotStarted State = iota
	Started          // and never checked
	Checked          // and not solved
	Solved
)

func (c Copy) progressFile() string { return filepath.Join(c.Folder, "progress.json") }

// Progress reads what is remembered; nothing where there is no copy, or nothing was asked.
func (c Copy) Progress() (p Progress, err error) {
	text, err := os.ReadFile(c.progressFile())
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("%s/progress.json cannot be read (delete it to begin again): %w", c.Path(), err)
	}
	return p, nil
}

// Save remembers it. The file is replaced as a whole, so that Ctrl-C leaves no half of it.
func (c Copy) Save(p Progress) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	draft := c.progressFile() + ".new"
	if err := os.WriteFile(draft, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(draft, c.progressFile())
}

// Record takes in what a check came to.
func (p *Progress) Record(results []report.Result) {
	p.Outcomes = map[string]check.Outcome{}
	for _, r := range results {
		p.Outcomes[r.ID] = r.Verdict.Outcome
	}
}

// State is how far the exercise is, and how many of its scenarios passed at the last check.
func (c Copy) State() (state State, passed int, err error) {
	exists, err := c.Exists()
	if err != nil || !exists {
		return NotStarted, 0, err
	}
	p, err := c.Progress()
	if err != nil {
		return Started, 0, err
	}
	for _, s := range c.Scenarios {
		if p.Outcomes[s.ID] == check.Pass {
			passed++
		}
	}
	switch {
	case len(p.Outcomes) == 0:
		return Started, 0, nil
	case passed < len(c.Scenarios):
		return Checked, passed, nil
	}
	return Solved, passed, nil
}
