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

// Progress is the saved state of an exercise. Its file is in the copy's folder, so that a
// new start deletes it.
type Progress struct {
	// Answer is the learner's prediction.
	Answer string `json:"answer,omitempty"`
	// Hints is the number of hints that were shown.
	Hints int `json:"hints,omitempty"`
	// Outcomes holds the outcomes of the last check by scenario.
	Outcomes map[string]check.Outcome `json:"outcomes,omitempty"`
}

// A State is the learner's progress in an exercise.
type State int

// The states, in their order.
const (
	NotStarted State = iota
	Started          // never checked
	Checked          // not solved
	Solved
)

func (c Copy) progressFile() string { return filepath.Join(c.Folder, "progress.json") }

// Progress reads the saved state. It is empty if there is no copy or no saved state.
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

// Save replaces the file as a whole, so that an interrupt leaves no partial file.
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

// Record stores the outcomes of a check.
func (p *Progress) Record(results []report.Result) {
	p.Outcomes = map[string]check.Outcome{}
	for _, r := range results {
		p.Outcomes[r.ID] = r.Verdict.Outcome
	}
}

// State returns the state of the exercise, and how many of its scenarios passed in the last
// check.
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
