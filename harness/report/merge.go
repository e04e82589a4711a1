package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"redial/harness/check"
	"redial/harness/contract"
)

// A Merged is one report made of several that [JSON] wrote for parts of one run.
type Merged struct{ shape Document }

// Add adds another part, as JSON wrote it. The error names what does not match.
func (m *Merged) Add(data []byte) error {
	var part Document
	if err := json.Unmarshal(data, &part); err != nil || part.Scenarios == nil {
		return errors.New("is not what redial writes with --json")
	}
	if m.shape.Scenarios == nil {
		m.shape = part
		return nil
	}
	of := func(r Document) string {
		run := fmt.Sprintf("%s, level %s, %s lab, seed %d", r.Target, r.Level, r.Lab, r.Seed)
		if r.Client != "" {
			run += ", client " + r.Client
		}
		return run
	}
	if of(part) != of(m.shape) {
		return fmt.Errorf("is of another run: %s, and not %s", of(part), of(m.shape))
	}
	for _, s := range part.Scenarios {
		for _, other := range m.shape.Scenarios {
			if s.ID == other.ID && s.Column == other.Column {
				return fmt.Errorf("has %s, which another part has too", s.ID)
			}
		}
	}
	all := &m.shape
	all.Scenarios = append(all.Scenarios, part.Scenarios...)
	all.Summary.Pass += part.Summary.Pass
	all.Summary.Fail += part.Summary.Fail
	all.Summary.Inconclusive += part.Summary.Inconclusive
	all.Summary.Unsupported += part.Summary.Unsupported
	all.Points += part.Points
	all.VirtualSeconds += part.VirtualSeconds
	all.RunsPerSecond = 0 // a rate is meaningless for parts that ran in parallel
	return nil
}

// JSON writes the merged report in the same form as its parts.
func (m *Merged) JSON(w io.Writer) error { return encode(w, m.shape) }

// Report returns the merged report for the other writers. It has no histories.
func (m *Merged) Report() Report {
	r := Report{Target: m.shape.Target, Level: m.shape.Level, Seed: m.shape.Seed, Lab: m.shape.Lab, Client: m.shape.Client}
	for _, s := range m.shape.Scenarios {
		r.Results = append(r.Results, Result{
			ID: s.ID, Title: s.Title, Column: s.Column, Points: s.Points, StoodFor: s.StoodFor, AllPoints: s.AllPoints, Artifacts: s.Artifacts,
			// The expectation is left out, because the outcome and the reason already include
			// it.
			Verdict: check.Verdict{Outcome: s.Verdict, Level: m.shape.Level, Reason: s.Reason},
			Beyond:  beyond(s.Beyond),
			Tally: Tally{Runs: s.Runs, Unfired: s.Unfired, FaultsFired: s.FaultsFired,
				Lost: s.Lost, Duplicated: s.Duplicated, Reordered: s.Reordered},
		})
	}
	return r
}

// beyond restores the part of a verdict that a document contains.
func beyond(level contract.Level) (v check.Verdict) {
	if level != "" {
		v = check.Verdict{Outcome: check.Fail, Level: level}
	}
	return v
}
