package report

import (
	"encoding/json"
	"io"

	"redial/harness/check"
	"redial/harness/contract"
)

// The shape that JSON writes. Names and meanings are stable; fields are only
// ever added.
type jsonReport struct {
	Target    string         `json:"target"`
	Level     contract.Level `json:"level"`
	Seed      uint64         `json:"seed"`
	Scenarios []jsonScenario `json:"scenarios"`
	Summary   jsonSummary    `json:"summary"`
	Lab       string         `json:"lab"`
	// Of the virtual lab; zero in the real one.
	Points         int     `json:"points"`
	RunsPerSecond  float64 `json:"runs_per_second"`
	VirtualSeconds float64 `json:"virtual_seconds"`
}

type jsonScenario struct {
	ID          string          `json:"id"`
	Rule        contract.RuleID `json:"rule"`
	Verdict     check.Outcome   `json:"verdict"`
	Lost        int             `json:"lost"`
	Duplicated  int             `json:"duplicated"`
	Reordered   int             `json:"reordered"`
	Runs        int             `json:"runs"`
	FaultsFired int             `json:"faults_fired"`
	Artifacts   []string        `json:"artifacts"`
	Title       string          `json:"title"`
	Reason      string          `json:"reason"`
	Expected    string          `json:"expected"`
	AsExpected  bool            `json:"as_expected"`
	Column      string          `json:"column"`
	Points      int             `json:"points"`
	Unfired     int             `json:"unfired"`
}

type jsonSummary struct {
	Pass         int `json:"pass"`
	Fail         int `json:"fail"`
	Inconclusive int `json:"inconclusive"`
	Unsupported  int `json:"unsupported"`
}

// JSON writes the report for a program. "rule" is the first rule whose breaking
// failed the scenario, "" where none did; "seed" is a 64-bit whole number.
func JSON(w io.Writer, r Report) error {
	shape := jsonReport{
		Target: r.Target, Level: r.Level, Seed: r.Seed, Lab: r.Lab,
		Scenarios: make([]jsonScenario, 0, len(r.Results)),
		Points:    r.Points(), RunsPerSecond: r.RunsPerSecond(), VirtualSeconds: r.VirtualSeconds(),
	}
	s := &shape.Summary
	s.Pass, s.Fail, s.Inconclusive, s.Unsupported = r.Summary()
	for _, result := range r.Results {
		shape.Scenarios = append(shape.Scenarios, jsonScenario{
			ID: result.ID, Rule: result.Verdict.Rule(), Verdict: result.Outcome(),
			Lost: result.Lost, Duplicated: result.Duplicated, Reordered: result.Reordered,
			Runs: result.Runs, FaultsFired: result.FaultsFired,
			Artifacts: append([]string{}, result.Artifacts...),
			Title:     result.Title, Reason: result.Reason(),
			Expected: string(result.Expected), AsExpected: result.AsExpected(), Column: result.Column, Points: result.Points, Unfired: result.Unfired,
		})
	}
	return encode(w, shape)
}

func encode(w io.Writer, shape jsonReport) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(shape)
}
