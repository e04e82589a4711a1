package suite_test

import (
	"encoding/json"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/lab/race"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
	"redial/scenarios/suite"
)

func TestMain(m *testing.M) {
	servers.BecomeStep()
	log.SetOutput(io.Discard) // the servers' log would hide the test's output
	os.Exit(m.Run())
}

// sampleUnderRace is the number of rows for both labs that are played with the race
// detector, each on every step.
const sampleUnderRace = 2

// TestScenarios compares every step with the catalogue's expectations in both directions: a
// step that should lose a message and does not fails the test, too.
func TestScenarios(t *testing.T) {
	var tested []servers.Server
	for _, number := range servers.MatrixSteps {
		server, err := servers.Step(number)
		if err != nil {
			t.Fatal(err)
		}
		tested = append(tested, server)
	}
	// Ginkgo's own seed is used, so that -ginkgo.seed repeats the runs.
	config, _ := ginkgo.GinkgoConfiguration()
	saved, err := filepath.Abs("../../out/suite") // a failure says how to replay it, from any folder
	if err != nil {
		t.Fatal(err)
	}
	real := runner.Options{Seed: uint64(config.RandomSeed), Golden: true, Artifacts: saved}
	virtual := real
	virtual.Lab = lab.Virtual
	both, rows := []runner.Options{real, virtual}, catalogue.All
	if race.Enabled {
		// This plays the servers and the real lab on some rows; `make check-all` plays all rows.
		// The virtual lab's rows run here without the race detector, which has time for only one
		// step.
		both, rows = both[:1], catalogue.Sample(real.Seed, sampleUnderRace)
	}
	s := suite.Define(tested, rows, both...)
	s.Run(t.Context(), t)
	results, err := s.Results()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		// The matrix judges each step at the highest level; a failure that is beyond the step's own
		// says so. Steps 3 and 4 send a message to no other client.
		if r.Verdict.Outcome == check.Fail && r.Beyond.Outcome != check.Fail && r.Column != "step 3" && r.Column != "step 4" {
			t.Errorf("%s breaks its own promise in %s: %s", r.Column, r.ID, r.Verdict.Reason)
		}
	}
	if config.LabelFilter == "lab:virtual" && config.ParallelTotal == 1 && !race.Enabled { // as make test plays it
		sameAsTheRunner(t, virtual, results)
	}
}

// sameAsTheRunner requires that the specs, which the command redial plays, have the same
// results as the runner alone, in some rows of step 6.
func sameAsTheRunner(t *testing.T, options runner.Options, specs []report.Result) {
	server, err := servers.Step("6")
	if err != nil {
		t.Fatal(err)
	}
	rows := catalogue.Sample(options.Seed, 12)
	specs = slices.DeleteFunc(specs, func(r report.Result) bool {
		return r.Column != server.Name || !slices.ContainsFunc(rows, func(s catalogue.Scenario) bool { return s.ID == r.ID })
	})
	again, err := runner.Run(t.Context(), []servers.Server{server}, rows, options)
	if err != nil || len(again) != len(specs) {
		t.Fatalf("%d results of the runner and %d of the specs: %v", len(again), len(specs), err)
	}
	for i, r := range again {
		if s := specs[i]; r.ID != s.ID || r.Outcome() != s.Outcome() || r.Letters() != s.Letters() || r.Verdict.Reason != s.Verdict.Reason {
			t.Errorf("%s: %s %s by the runner, %s: %s %s by the specs", r.ID, r.Outcome(), r.Letters(), s.ID, s.Outcome(), s.Letters())
		}
	}
}

// A failing spec's report entries name its story, its files and its picture. Ginkgo runs one
// suite in a process, so the test starts itself.
func TestFailingSpecHasAPicture(t *testing.T) {
	const artifacts = "REDIAL_FAILING_SPEC"
	if folder := os.Getenv(artifacts); folder != "" {
		server, err := servers.Step("5")
		if err != nil {
			t.Fatal(err)
		}
		server.Level = contract.Recovery // which step 5 does not promise
		which, err := catalogue.Find([]string{"clean-drop"})
		if err != nil {
			t.Fatal(err)
		}
		suite.Define([]servers.Server{server}, which, runner.Options{Seed: 1, Lab: lab.Virtual, Artifacts: folder}).Run(t.Context(), t)
		return
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "report.json")
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-ginkgo.json-report="+file)
	c.Env = append(os.Environ(), artifacts+"="+folder)
	printed, _ := c.CombinedOutput() // the spec fails
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	var reports []ginkgo.Report
	if err := json.Unmarshal(text, &reports); err != nil {
		t.Fatal(err)
	}
	entries := map[string]string{}
	for _, e := range reports[0].SpecReports[0].ReportEntries {
		entries[e.Name] = e.StringRepresentation()
	}
	picture, err := os.ReadFile(entries["picture"])
	if err != nil || !strings.Contains(string(picture), "<svg") || !strings.Contains(string(picture), "no-loss") {
		t.Errorf("the picture is %.200q: %v", picture, err)
	}
	if !strings.Contains(entries["story"], "alice and bob") || !strings.HasSuffix(entries["files"], "clean-drop-1.json") {
		t.Errorf("the entries are %q", entries)
	}
}

// The labels in the package doc must exist, and a filter must select specs by them.
func TestLabels(t *testing.T) {
	labels := suite.Labels(t, "6", "polling")
	for _, want := range []string{"step:6", "level:recovery", "row:43", "scenario:polling", "lab:real", "transport:polling", "fault:cut"} {
		if !slices.Contains(labels, want) {
			t.Errorf("no label %s among %v", want, labels)
		}
	}
}
