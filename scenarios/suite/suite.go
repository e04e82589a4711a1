// Package suite makes Ginkgo specs of the catalogue: one for each scenario on each server.
//
// Read [Define] first. `go test ./scenarios/suite` runs the specs on the kit's own steps, and
// the command redial (scenarios/cmd/redial) runs the same specs on any server. Ginkgo was
// chosen because its specs are ordinary Go values, which can be made for a server that is
// known only at run time, and for its CI features: labels, parallel processes and reports.
//
// A spec has the labels step:7, level:server-delivery, row:24, scenario:refresh, lab:real,
// and transport: and fault: for each transport and fault in its plan. So
//
//	go test ./scenarios/suite -ginkgo.label-filter='level:recovery && transport:polling'
//
// runs the specs for polling on the step that promises recovery.
//
// The report entries of a failing spec are its story, the command that plays it again, its saved
// files, and the path of its picture: an HTML file, beside the saved one.
package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"redial/harness/check"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// A Suite is the specs of some servers and scenarios, with their results.
type Suite struct {
	specs   []spec
	results map[string]report.Result // by the text of the spec
	err     error
}

type spec struct {
	text   string
	lab    lab.Lab
	runner *runner.Runner
	cell   runner.Cell
	labels ginkgo.Labels
}

// Define builds the specs, in the lab of each of the options. Call it once in a process,
// because Ginkgo allows only one suite, and then [Suite.Run].
func Define(tested []servers.Server, which []catalogue.Scenario, options ...runner.Options) *Suite {
	s := &Suite{results: map[string]report.Result{}}
	for _, o := range options {
		o.Lab = cmp.Or(o.Lab, lab.Real)
		in := runner.New(o)
		for _, c := range runner.Cells(tested, which) {
			text := fmt.Sprintf("%s, %s lab: row %d, %s: %s", c.Server.Name, o.Lab, c.Scenario.Row, c.Scenario.ID, c.Scenario.Title)
			s.specs = append(s.specs, spec{text, o.Lab, in, c, labels(c, o.Lab)})
		}
	}
	// Ginkgo calls this function for a preview, and again for the run.
	ginkgo.Describe("what is shown when the connection breaks", func() {
		for _, one := range s.specs {
			ginkgo.It(one.text, one.labels, func(ctx ginkgo.SpecContext) { s.judge(ctx, one) })
		}
	})
	return s
}

// labels returns the labels by which a filter can select the cell.
func labels(c runner.Cell, in lab.Lab) ginkgo.Labels {
	l := ginkgo.Labels{
		"level:" + string(c.Server.Level), fmt.Sprintf("row:%d", c.Scenario.Row), "scenario:" + c.Scenario.ID, "lab:" + in.String(),
	}
	if c.Server.Step != "" {
		l = append(l, "step:"+c.Server.Step)
	}
	add := func(label string) {
		if !slices.Contains(l, label) {
			l = append(l, label)
		}
	}
	p := c.Scenario.Plan(1)
	for _, client := range p.Clients {
		for _, transport := range client.Transports {
			add("transport:" + transport)
		}
		if len(client.Transports) == 0 {
			add("transport:websocket") // the default of plan.Client
		}
	}
	for _, f := range p.AllFaults() {
		add("fault:" + string(f.Kind))
	}
	for _, step := range p.Script {
		if step.Fault == nil && step.Do.Disconnects() {
			add("fault:" + string(step.Do))
		}
	}
	return l
}

// Run runs the specs that Ginkgo's flags select, until ctx ends, and reports failures to t as
// Ginkgo does.
//
// In a single process, runs start before their specs, as many at a time as Options.Parallel
// allows, because a run in the real lab mostly waits. With several processes (`ginkgo -p`)
// each process plays its own specs one after the other.
func (s *Suite) Run(ctx context.Context, t ginkgo.GinkgoTestingT, args ...any) bool {
	if config, _ := ginkgo.GinkgoConfiguration(); config.ParallelTotal == 1 && !config.DryRun {
		ctx, cancel := context.WithCancel(ctx)
		for in, cells := range s.chosen(args...) {
			defer in.Start(ctx, cells)()
		}
		defer cancel()
	}
	return ginkgo.RunSpecs(t, "Redial", args...)
}

// chosen returns the cells whose specs the flags select, by their runners, in the order of
// definition. (Ginkgo sorts specs that are defined in one place by their text.)
func (s *Suite) chosen(args ...any) map[*runner.Runner][]runner.Cell {
	skipped := map[string]bool{}
	for _, r := range ginkgo.PreviewSpecs("Redial", args...).SpecReports {
		skipped[r.LeafNodeText] = !r.State.Is(types.SpecStatePassed)
	}
	chosen := map[*runner.Runner][]runner.Cell{}
	for _, one := range s.specs {
		if !skipped[one.text] {
			chosen[one.runner] = append(chosen[one.runner], one.cell)
		}
	}
	return chosen
}

func (s *Suite) judge(ctx ginkgo.SpecContext, one spec) {
	result, err := one.runner.Result(ctx, one.cell)
	if err != nil {
		s.err = err
		ginkgo.AbortSuite(err.Error())
	}
	s.results[one.text] = result
	outcome := result.Outcome()
	if outcome == check.Unsupported {
		ginkgo.Skip("unsupported: " + result.Reason())
	}
	if outcome == check.Pass {
		return
	}
	var played plan.Plan
	if len(result.Events) > 0 && result.Events[0].Plan != nil {
		played = *result.Events[0].Plan
		ginkgo.AddReportEntry("story", plan.Story(played))
	}
	ginkgo.AddReportEntry("replay", result.Replay)
	if len(result.Artifacts) > 0 {
		ginkgo.AddReportEntry("files", strings.Join(result.Artifacts, "\n"))
		if picture, err := draw(result, one.lab, played.Seed); err != nil {
			ginkgo.AddReportEntry("picture", "none: "+err.Error())
		} else {
			ginkgo.AddReportEntry("picture", picture)
		}
	}
	if outcome == check.Inconclusive {
		ginkgo.Fail("inconclusive: " + result.Reason())
	}
	ginkgo.Fail(result.Reason() + "\nagain: " + result.Replay)
}

// draw writes a report with the drawing of the run beside its saved file, and returns the path.
func draw(r report.Result, in lab.Lab, seed uint64) (path string, err error) {
	path = strings.TrimSuffix(r.Artifacts[0], ".json") + ".html"
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	one := report.Report{Target: r.Column, Level: r.Verdict.Level, Seed: seed, Lab: in.String(), Results: []report.Result{r}, Took: r.Took}
	return path, errors.Join(report.HTML(file, one), file.Close())
}

// Results returns the results of the specs that were played in this process, in the order of
// definition, and the reason if the suite was interrupted.
func (s *Suite) Results() (results []report.Result, err error) {
	for _, one := range s.specs {
		if r, ran := s.result(one); ran {
			results = append(results, r)
		}
	}
	return results, s.err
}

// result returns the spec's result, also if Ginkgo was interrupted before it requested the
// result.
func (s *Suite) result(one spec) (report.Result, bool) {
	if r, ran := s.results[one.text]; ran {
		return r, true
	}
	return one.runner.Finished(one.cell)
}

// Unplayed returns an inconclusive result for each spec that had not completed when ctx, or an
// interrupt, ended the run.
func (s *Suite) Unplayed(ctx context.Context) (results []report.Result) {
	for _, one := range s.specs {
		if _, ran := s.result(one); !ran {
			results = append(results, one.cell.Unplayed(runner.Unplayed(ctx)))
		}
	}
	return results
}
