package runner_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// rightRuns is how many seeds are played on the correct servers.
var rightRuns = flag.Int("right-runs", 0, "how often each scenario is played on each right server, and on each step (default: once, and not on the steps)")

// Every defect is caught by the expected rule, also with other seeds, every rule catches a
// defect, and scenarios/defects.md is what make defects writes.
func TestDefectsAreCaught(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	for seed := range uint64(3) {
		kills, err := runner.Defects(t.Context(), defect.All, runner.Options{Seed: 1 + seed, Lab: lab.Virtual})
		if err != nil {
			t.Fatal(err)
		}
		allCaught(t, kills)
		everyRuleCatches(t, kills)
	}
}

func everyRuleCatches(t *testing.T, kills []runner.Kill) {
	t.Helper()
	caught := map[contract.RuleID]bool{}
	for _, k := range kills {
		caught[k.Blamed()] = true
	}
	for _, rule := range contract.Rules {
		if !caught[rule.ID] {
			t.Errorf("no defect breaks the rule %s", rule.ID)
		}
	}
	if read(t, "../defects.md") != read(t, "../cmd/redial/defects.txt")+runner.DefectTable(kills) {
		t.Error("scenarios/defects.md has another text; make defects writes it")
	}
}

func TestReadmeCountsTheDefects(t *testing.T) {
	t.Parallel()
	together := len(clusters())
	for file, says := range map[string][]string{
		"../../README.md":         {"plays %d servers and pages", "%d pairs of servers"},
		"../../docs/ko/README.md": {"서버와 페이지 %d개", "서버 %d쌍"},
	} {
		for i, count := range []int{len(defect.All) - together, together} {
			if want := fmt.Sprintf(says[i], count); !strings.Contains(read(t, file), want) {
				t.Errorf("%s does not say %q", file, want)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Some defects of each kind are also caught in the real lab, with processes and TCP.
func TestDefectsAreCaughtForReal(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	var which []defect.Defect
	for _, name := range []string{
		"drops", "forgets", "stores-twice", "acknowledges-first-and-tries-on", "no-unique", "keys-in-memory",
		"repeats", "skips", "swaps", "alters", "normalises", "refuses", "does-not-store",
		"half-open", "second-recovery", "offset-in-storage", "handlers-again", "outbox-cleared",
	} {
		d, err := defect.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		which = append(which, d)
	}
	kills, err := runner.Defects(t.Context(), which, runner.Options{Seed: 1, Lab: lab.Real})
	if err != nil {
		t.Fatal(err)
	}
	allCaught(t, kills)
}

func allCaught(t *testing.T, kills []runner.Kill) {
	t.Helper()
	for _, k := range kills {
		t.Run(k.Defect.Name, func(t *testing.T) {
			if !k.Caught() {
				t.Errorf("the rule %s must catch it in %s; it is %s by %q: %v %s", k.Defect.Rule, k.Defect.Scenario,
					k.Result.Outcome(), k.Blamed(), k.Result.Verdict.Counts, k.Result.Verdict.Reason)
			}
		})
	}
}

// The correct chat, from which each broken one differs in a few lines, passes every scenario
// in which one of them fails. (Package suite plays every row on right servers.) One that writes
// the keys of an object in another order passes those that send objects.
func TestRightServersPass(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	objects, err := catalogue.Find([]string{"payloads-drop", "payloads-restart", "payloads-refresh"})
	if err != nil {
		t.Fatal(err)
	}
	named := slices.DeleteFunc(slices.Clone(catalogue.All), func(s catalogue.Scenario) bool {
		return !slices.ContainsFunc(defect.All, func(d defect.Defect) bool { return d.Scenario == s.ID })
	})
	for _, level := range []contract.Level{contract.ServerDelivery, contract.ClientDelivery} {
		for name, right := range map[string]struct {
			make  defect.New
			rows  []catalogue.Scenario
			least int
		}{
			"right":                {defect.Right, named, 20},
			"right, reorders keys": {defect.RightReordering, objects, 3},
		} {
			t.Run(name+" at "+string(level), func(t *testing.T) {
				server, err := servers.Broken(defect.Defect{Name: name, Level: level, Scenario: "burst", New: right.make})
				if err != nil {
					t.Fatal(err)
				}
				results := played(t, server, right.rows, runner.Options{Seed: 1, Runs: *rightRuns, Lab: lab.Virtual})
				allPass(t, results, right.least)
			})
		}
	}
}
