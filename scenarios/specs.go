package scenarios

import (
	"context"
	"fmt"

	"github.com/onsi/ginkgo/v2"

	"redial/harness/check"
	"redial/harness/report"
)

// Suite is the Ginkgo tree over some subjects and scenarios, and what came of it.
type Suite struct {
	runner  *runner
	cells   []cell
	results []report.Result
	err     error
}

// Define builds the tree: one container a subject, one spec a scenario. The specs
// only wait for and judge their cell: the runs go on ahead of them, as many at a
// time as Options.Parallel allows, since a run is mostly waiting. Call it before
// ginkgo.RunSpecs, and once in a process (which is Ginkgo's own limit).
func Define(subjects []Subject, which []Scenario, options Options) *Suite {
	s := &Suite{runner: newRunner(options), cells: cells(subjects, which)}
	ginkgo.Describe("what is shown when the connection breaks", ginkgo.Ordered, ginkgo.ContinueOnFailure, func() {
		ginkgo.BeforeAll(func() {
			ctx, cancel := context.WithCancel(context.Background())
			wait := s.runner.start(ctx, s.cells)
			ginkgo.DeferCleanup(func() { cancel(); wait() })
		})
		for _, c := range s.cells {
			title := fmt.Sprintf("%s: row %d, %s: %s", c.subject.Name, c.scenario.Row, c.scenario.ID, c.scenario.Title)
			ginkgo.It(title, ginkgo.Label(c.scenario.ID), func(ctx ginkgo.SpecContext) { s.judge(ctx, c) })
		}
	})
	return s
}

func (s *Suite) judge(ctx ginkgo.SpecContext, c cell) {
	result, err := s.runner.result(ctx, c)
	if err != nil {
		s.err = err
		ginkgo.AbortSuite(err.Error())
	}
	s.results = append(s.results, result)
	switch result.Outcome() {
	case check.Pass:
	case check.Unsupported:
		ginkgo.Skip("unsupported: " + result.Reason())
	case check.Inconclusive:
		ginkgo.Fail("inconclusive: " + result.Reason())
	default:
		ginkgo.Fail(result.Reason() + "\nagain: " + result.Replay)
	}
}

// Results returns what the specs that ran came to, and why the suite was broken
// off, if it was.
func (s *Suite) Results() ([]report.Result, error) { return s.results, s.err }
