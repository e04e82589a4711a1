package report_test

import (
	"fmt"
	"os"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/report"
)

// A verdict becomes a report when the target and the scenario are named.
func ExampleText() {
	verdict := check.Verdict{Outcome: check.Pass, Level: contract.Recovery}
	r := report.Report{Target: "my chat", Level: contract.Recovery, Lab: "virtual", Seed: 1, Results: []report.Result{
		{ID: "clean-drop", Title: "a clean drop", Verdict: verdict, Met: true, Tally: check.Tally{Runs: 1}},
	}}
	if err := report.Text(os.Stdout, r, report.Style{}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// my chat
	// level recovery, virtual lab, seed 1
	//
	// ✓ clean-drop    a clean drop                                                                   1 run
	//
	// PASS: 1 passed, 0 failed, 0 inconclusive, 0 unsupported
}
