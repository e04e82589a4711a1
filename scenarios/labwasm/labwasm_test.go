package labwasm_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/labpage"
	"redial/scenarios/labwasm"
)

var (
	folder string
	node   *labwasm.Node // of all tests, because each one compiles the program for seconds
	start  = sync.OnceValue(func() (err error) {
		if _, err = labwasm.Build(context.Background(), folder, gzip.BestSpeed); err == nil {
			node, err = labwasm.Start(folder)
		}
		return err
	})
)

func needsNode(t *testing.T) {
	t.Helper()
	if err := start(); err != nil {
		t.Fatal(err)
	}
}

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "redial-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if node != nil {
		_ = node.Close() // a test has failed if it has ended before
	}
	os.RemoveAll(folder)
	os.Exit(code)
}

// cutAndRefreshed cuts a connection and refreshes a page while messages arrive.
const cutAndRefreshed = `{"seed":1,"clients":[{"name":"alice"},{"name":"bob"},{"name":"carol"}],"script":[
	{"do":"open","client":"alice"},{"do":"open","client":"bob"},{"do":"open","client":"carol"},{"do":"await-connected"},
	{"do":"send","client":"alice","text":"hello"},{"do":"await-shown","client":"bob","text":"hello"},
	{"do":"break","fault":{"kind":"cut","client":"bob"}},{"do":"send","client":"alice","text":"meanwhile","count":3},
	{"do":"await-connected"},{"do":"refresh","client":"carol"},{"do":"await-connected"},{"do":"send","client":"bob","text":"bye"}]}`

// restarted also kills and restarts the server, whose stored messages must survive.
var restarted = strings.Replace(cutAndRefreshed, `{"do":"refresh"`, `{"do":"kill-server"},{"do":"wait","for":"1s"},{"do":"start-server"},{"do":"await-connected"},{"do":"refresh"`, 1)

// locked also locks the database against writes for some time.
var locked = strings.Replace(cutAndRefreshed, `{"do":"refresh"`, `{"do":"lock-database"},{"do":"send","client":"alice","text":"while locked"},{"do":"wait","for":"12s"},{"do":"unlock-database"},{"do":"wait","for":"12s"},{"do":"refresh"`, 1)

// cutInReplay is a shorter form of the scenario with that name: a connection is cut while
// the replay arrives between live messages.
const cutInReplay = `{"seed":1,"clients":[{"name":"bob"},{"name":"writer","kind":"wire"}],"script":[
	{"do":"open","client":"writer"},{"do":"await-connected"},{"do":"send","client":"writer","text":"history","count":40},
	{"do":"await-shown","client":"writer","text":"history 40"},
	{"do":"start-sending","client":"writer","text":"live","every":"3ms","count":80},{"do":"await-shown","client":"writer","text":"live 3"},
	{"do":"arm","fault":{"id":"in-replay","kind":"cut","client":"bob","at":{"direction":"down","match":"42[\"chat message\"","number":20}}},
	{"do":"open","client":"bob"},{"do":"await-fault","text":"in-replay"},{"do":"await-disconnected","client":"bob"},
	{"do":"await-connected","client":"bob"},{"do":"stop-sending","client":"writer"}]}`

// A link must play the same history, event by event, in WebAssembly and in the native virtual lab
// at every step; and the published code must break the same rules.
func TestWebAssemblyPlaysWhatTheNativeLabPlays(t *testing.T) {
	needsNode(t)
	for _, test := range []struct {
		step, name, plan string
		outcome          check.Outcome
		rule             contract.RuleID
		// unordered is set if the order of events varies between native runs, too: a wait for a
		// locked database uses the real clock there, and step 9 reads its shared log every 20 ms
		// and also after each new message.
		unordered bool
	}{
		{"5", "cut", cutAndRefreshed, check.Pass, "", false},
		{"6", "cut", cutAndRefreshed, check.Pass, "", false},
		{"7", "cut", cutAndRefreshed, check.Pass, "", false},
		{"7", "restart", restarted, check.Pass, "", false},
		{"7", "lock", locked, check.Pass, "", false},
		{"8", "restart", restarted, check.Pass, "", false},
		{"8", "lock", locked, check.Pass, "", true},
		{"9", "restart", restarted, check.Pass, "", true},
		{"10", "restart", restarted, check.Pass, "", false},
		{"published-6", "cut", cutAndRefreshed, check.Pass, "", false},
		{"published-6", "lost", scenario(t, "drop-before-any-event"), check.Fail, contract.NoLoss, false},
		{"published-7", "lost", cutInReplay, check.Fail, contract.NoLoss, false},
		{"published-7", "reordered", ofTheTour(t, "replay-and-live"), check.Fail, contract.Order, true},
	} {
		t.Run(test.step+" "+test.name, func(t *testing.T) {
			p, err := plan.Decode([]byte(test.plan))
			if err != nil {
				t.Fatal(err)
			}
			link, err := labpage.Document{Step: test.step, Plan: p}.Fragment()
			if err != nil {
				t.Fatal(err)
			}
			r := labpage.Request{Link: "https://example.org/lab/?lang=ko#" + link, View: labpage.View{Width: 900, Language: report.English, Detail: true}}
			there, err := node.Play(r)
			if err != nil || there.Error != "" {
				t.Fatal(err, there.Error)
			}
			here := labpage.Play(t.Context(), r)
			for lab, played := range map[string]labpage.Response{"native": here, "WebAssembly": there} {
				if played.Outcome != test.outcome || !breaks(played, test.rule) {
					t.Errorf("%s: %s %q, want %s %s", lab, played.Outcome, findings(played), test.outcome, test.rule)
				}
			}
			if there.Reason != here.Reason {
				t.Errorf("the reason in WebAssembly %q, native %q", there.Reason, here.Reason)
			}
			if found, want := findings(there), findings(here); !slices.Equal(found, want) {
				t.Errorf("findings in WebAssembly %q, native %q", found, want)
			}
			got, want := observed(there.Events), observed(here.Events)
			if test.unordered {
				slices.Sort(got)
				slices.Sort(want)
			}
			if at := differsAt(got, want); at >= 0 {
				t.Errorf("event %d differs: in WebAssembly\n%s\nnative\n%s", at, around(got, at), around(want, at))
			}
		})
	}
}

// ofTheTour returns the plan of a run of the lab page's guided tour.
func ofTheTour(t *testing.T, id string) string {
	t.Helper()
	text, err := fs.ReadFile(labpage.Static(), "tour.json")
	if err != nil {
		t.Fatal(err)
	}
	var tour struct {
		Breaks []struct {
			ID   string
			Plan json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &tour); err != nil {
		t.Fatal(err)
	}
	for _, b := range tour.Breaks {
		if b.ID == id {
			return string(b.Plan)
		}
	}
	t.Fatalf("the tour has no %s", id)
	return ""
}

// scenario returns the plan of a scenario in the catalogue.
func scenario(t *testing.T, id string) string {
	t.Helper()
	found, err := catalogue.Find([]string{id})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(found[0].Plan(1))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// observed returns the history without times, because a wait for a locked database uses the
// real clock in the native lab.
func observed(events []history.Event) (lines []string) {
	for _, e := range events {
		lines = append(lines, fmt.Sprint(e.Kind, " ", e.Client, e.View, " ", e.Message, " ", e.Offset, e.Recovered, e.Fault))
	}
	return lines
}

// differsAt returns the index of the first different line, or -1.
func differsAt(got, want []string) int {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return i
		}
	}
	return -1
}

func around(lines []string, at int) string {
	return strings.Join(lines[min(max(0, at-3), len(lines)):min(at+4, len(lines))], "\n")
}

func findings(r labpage.Response) (lines []string) {
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprint(f.Promised, " ", f.Rule, " ", f.Client, " ", f.Message))
	}
	return lines
}

// breaks reports whether the run breaks the rule; without a rule, whether it breaks none.
func breaks(r labpage.Response, rule contract.RuleID) bool {
	if rule == "" {
		return r.Verdict.Rule() == ""
	}
	return slices.ContainsFunc(r.Findings, func(f labpage.Finding) bool { return f.Promised && f.Rule == rule })
}
