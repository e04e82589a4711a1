package report

import (
	"encoding/json"
	"io"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
)

// A Document is the JSON form of a report, which `redial --json` writes. Names and
// meanings are stable; fields are only ever added. Its schema is published in
// scenarios/schema, with these comments.
type Document struct {
	// Target is the server as its owner knows it: a step of the kit, a command line or a URL.
	Target string `json:"target"`
	// Level is the promise that the server was held to.
	Level contract.Level `json:"level"`
	// Seed is that of the first run, a whole number of 64 bits.
	Seed uint64 `json:"seed"`
	// Shard is the part of a divided run that this is, such as "2/5"; it is missing for a whole
	// run.
	Shard string `json:"shard,omitempty"`
	// Selection identifies the scenarios of the whole run that was divided, and Repeats is how
	// often each of them was to be played; both are missing for a whole run.
	Selection string `json:"selection,omitempty"`
	Repeats   int    `json:"repeats,omitempty"`
	// Scenarios are in the order in which they were asked for, or by row, and a sweep's failures
	// follow their story. Those that wait for a long heartbeat come last, and behind them what was
	// not played. Merged, the parts follow one another.
	Scenarios []DocumentScenario `json:"scenarios"`
	Summary   DocumentSummary    `json:"summary"`
	// Lab is where the runs were played.
	Lab string `json:"lab"`
	// Client is the client that played the part of the pages; it is missing where that is the
	// official one.
	Client string `json:"client,omitempty"`
	// Points counts the places that sweeps have broken something at; 0 without a sweep.
	Points int `json:"points"`
	// RunsPerSecond and VirtualSeconds are of the virtual lab: how many runs it played in a
	// second, and how long they were on its own clock. They are 0 in the real lab.
	RunsPerSecond  float64 `json:"runs_per_second"`
	VirtualSeconds float64 `json:"virtual_seconds"`
}

// A DocumentScenario is one scenario, or one sweep, on one server.
type DocumentScenario struct {
	// ID is the scenario's stable name.
	ID string `json:"id"`
	// Rule is the first rule whose breaking failed the scenario, also where that failure is
	// known, and empty where none did.
	Rule contract.RuleID `json:"rule"`
	// Verdict is that of the worst run; with an expectation, whether it was met.
	Verdict check.Outcome `json:"verdict"`
	// Lost, Duplicated and Reordered count messages over all runs.
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	Reordered  int `json:"reordered"`
	// Runs is how often it was played.
	Runs int `json:"runs"`
	// FaultsFired counts the faults that happened in all runs.
	FaultsFired int `json:"faults_fired"`
	// Artifacts are the files that failing runs left.
	Artifacts []string `json:"artifacts"`
	// Title says in a sentence what happens.
	Title string `json:"title"`
	// Row is the scenario's number in the catalogue; it is missing where it has none.
	Row int `json:"row,omitempty"`
	// Reason says in a line why the verdict is what it is, empty for a pass.
	Reason string `json:"reason"`
	// Expected is what the matrix expects of this step, or a failure that check was told is known
	// (--expect); otherwise empty.
	Expected string `json:"expected"`
	// AsExpected tells whether that was observed; without an expectation, whether the verdict is
	// pass or unsupported. It is false where the verdict is inconclusive.
	AsExpected bool `json:"as_expected"`
	// Column names the server, where a report has several.
	Column string `json:"column"`
	// Points counts the places that the sweep has broken something at; 0 for no sweep.
	Points int `json:"points"`
	// StoodFor counts the places that those of Points represent, because several cannot differ,
	// and AllPoints those that exist; 0 where that is unknown. Their quotient is the share that
	// the sweep has covered.
	StoodFor  int `json:"stood_for"`
	AllPoints int `json:"all_points"`
	// Official is what the same plan came to with the official client, where another client
	// did not pass: with "pass", the client is at fault and not the server.
	Official check.Outcome `json:"official,omitempty"`
	// Beyond is the weakest level above the server's own at which the run would have failed,
	// where it passed: what is seen and not promised.
	Beyond contract.Level `json:"beyond,omitempty"`
	// Unfired counts the runs whose fault never happened, which show nothing.
	Unfired int `json:"unfired"`
}

// A DocumentSummary counts the scenarios by verdict.
type DocumentSummary struct {
	Pass         int `json:"pass"`
	Fail         int `json:"fail"`
	Inconclusive int `json:"inconclusive"`
	Unsupported  int `json:"unsupported"`
}

// JSON writes the report for a program, as a Document.
func JSON(w io.Writer, r Report) error {
	shape := Document{
		Target: r.Target, Level: r.Level, Seed: r.Seed, Shard: r.Shard, Selection: r.Selection, Repeats: r.Repeats, Lab: r.Lab, Client: r.Client,
		Scenarios: make([]DocumentScenario, 0, len(r.Results)),
	}
	virtualRuns, virtual := 0, time.Duration(0)
	s := &shape.Summary
	s.Pass, s.Fail, s.Inconclusive, s.Unsupported = r.Summary()
	for _, result := range r.Results {
		shape.Points += result.Points
		if virtual += result.Virtual; result.Virtual > 0 {
			virtualRuns += result.Runs
		}
		var rule contract.RuleID
		var beyond contract.Level
		switch result.Outcome() {
		case check.Fail:
			if result.Verdict.Outcome == check.Fail {
				rule = result.Verdict.Rule()
			}
		case check.Pass:
			beyond = result.Beyond.Level
			if result.Expected == check.Fails {
				rule = result.Verdict.Rule()
			}
		}
		shape.Scenarios = append(shape.Scenarios, DocumentScenario{
			ID: result.ID, Rule: rule, Verdict: result.Outcome(),
			Lost: result.Lost, Duplicated: result.Duplicated, Reordered: result.Reordered,
			Runs: result.Runs, FaultsFired: result.FaultsFired,
			Artifacts: append([]string{}, result.Artifacts...),
			Title:     result.Title, Row: result.Row, Reason: result.Reason(),
			Expected: string(result.Expected), AsExpected: result.AsExpected(), Column: result.Column, Points: result.Points, StoodFor: result.StoodFor, AllPoints: result.AllPoints, Unfired: result.Unfired,
			Official: result.Official, Beyond: beyond,
		})
	}
	shape.VirtualSeconds = virtual.Seconds()
	if r.Took > 0 {
		shape.RunsPerSecond = float64(virtualRuns) / r.Took.Seconds()
	}
	return encode(w, shape)
}

func encode(w io.Writer, shape Document) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(shape)
}
