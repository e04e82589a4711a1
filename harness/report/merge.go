package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"redial/harness/check"
	"redial/harness/contract"
)

// A Merged is one report made of several that [JSON] wrote for parts of one run.
type Merged struct {
	shape  Document
	shards map[int]bool // those that were added
	of     int          // into how many the run was divided; 0 if it was not
}

// Add adds another part, as JSON wrote it. The error names what does not match.
func (m *Merged) Add(data []byte) error {
	var part Document
	if err := json.Unmarshal(data, &part); err != nil || part.Scenarios == nil {
		return errors.New("is not what redial writes with --json")
	}
	shard, of, err := shardOf(part)
	if err != nil {
		return err
	}
	if m.shape.Scenarios == nil {
		m.shape, m.shards, m.of = part, map[int]bool{shard: true}, of
		m.shape.Shard = "" // of the whole
		return nil
	}
	run := func(r Document) string {
		text := fmt.Sprintf("%s, level %s, %s lab, seed %d", r.Target, r.Level, r.Lab, r.Seed)
		if r.Client != "" {
			text += ", client " + r.Client
		}
		if r.Repeats > 0 {
			text += fmt.Sprintf(", --runs %d", r.Repeats)
		}
		return text
	}
	switch {
	case run(part) != run(m.shape):
		return fmt.Errorf("is of another run: %s, and not %s", run(part), run(m.shape))
	case part.Selection != m.shape.Selection:
		return errors.New("is a part of other scenarios than another file: give every part the same --scenario, --scenarios and --sample")
	case of == 0 || m.of == 0:
		return errors.New("cannot be merged with another file: one of the two is of a whole run, which was not divided with --shard")
	case of != m.of:
		return fmt.Errorf("is shard %s, and another file is one of %d shards", part.Shard, m.of)
	case m.shards[shard]:
		return fmt.Errorf("is shard %s, as another file is", part.Shard)
	}
	m.shards[shard] = true
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

// shardOf returns which of how many shards the part is, or zeros for a whole run.
func shardOf(part Document) (shard, of int, err error) {
	if part.Shard == "" {
		return 0, 0, nil
	}
	if _, err := fmt.Sscanf(part.Shard, "%d/%d", &shard, &of); err != nil || shard < 1 || shard > of {
		return 0, 0, fmt.Errorf("has a shard that is none: %q", part.Shard)
	}
	return shard, of, nil
}

// Complete returns an error that names the first shard that was not added, if there is one.
func (m *Merged) Complete() error {
	for shard := 1; shard <= m.of; shard++ {
		if !m.shards[shard] {
			return fmt.Errorf("shard %d/%d is missing: %d of %d were given", shard, m.of, len(m.shards), m.of)
		}
	}
	return nil
}

// JSON writes the merged report in the same form as its parts.
func (m *Merged) JSON(w io.Writer) error {
	whole := m.shape
	whole.Selection, whole.Repeats = "", 0
	return encode(w, whole)
}

// Report returns the merged report for the other writers. It has no histories.
func (m *Merged) Report() Report {
	r := Report{Target: m.shape.Target, Level: m.shape.Level, Seed: m.shape.Seed, Lab: m.shape.Lab, Client: m.shape.Client}
	for _, s := range m.shape.Scenarios {
		result := Result{
			ID: s.ID, Title: s.Title, Row: s.Row, Column: s.Column, Official: s.Official, Points: s.Points, StoodFor: s.StoodFor, AllPoints: s.AllPoints, Artifacts: s.Artifacts,
			// An expectation of the matrix is left out, because the outcome and the reason
			// already include it.
			Verdict: check.Verdict{Outcome: s.Verdict, Level: m.shape.Level,
				Reason: strings.TrimPrefix(s.Reason, Result{Official: s.Official}.blame())},
			Tally: check.Tally{Runs: s.Runs, Unfired: s.Unfired, FaultsFired: s.FaultsFired,
				Lost: s.Lost, Duplicated: s.Duplicated, Reordered: s.Reordered},
		}
		result.Verdict.Findings, result.Verdict.Counts = broken(s)
		if s.Beyond != "" {
			result.Beyond = check.Verdict{Outcome: check.Fail, Level: s.Beyond}
		}
		if s.Expected == string(check.Fails) {
			result.Expected, result.Met = check.Fails, s.AsExpected
			result.Verdict.Outcome = unexpected(s.Verdict) // s has whether the expectation was met
			if s.Rule != "" {
				result.Verdict.Reason = s.Rule.Sentence() // a document has no reason of a pass
			}
		}
		r.Results = append(r.Results, result)
	}
	return r
}

// broken restores the part of the findings, and of their counts, that a document contains. A
// message that breaks the agreement and is not counted as reordered is one that the log lacks.
func broken(s DocumentScenario) ([]check.Finding, map[contract.RuleID]int) {
	if s.Rule == "" {
		return nil, nil
	}
	f := check.Finding{Rule: s.Rule, Must: true, Event: -1}
	if s.Rule == contract.Agreement && s.Reordered == 0 {
		f.Anomaly = check.Unstored
	}
	return []check.Finding{f}, map[contract.RuleID]int{s.Rule: 1}
}

// unexpected restores the outcome of a run that was expected to fail from whether it did.
func unexpected(outcome check.Outcome) check.Outcome {
	switch outcome {
	case check.Pass:
		return check.Fail
	case check.Fail:
		return check.Pass
	}
	return outcome
}
