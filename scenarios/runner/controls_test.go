package runner_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/servers"
	"redial/steps/lessons"
)

// A control is something broken on purpose, and the rule that must catch it; ""
// for the right server, which must pass.
type control struct {
	name string
	rule contract.RuleID
	html []byte
	new  defect.New
	plan plan.Plan
}

func controls() []control {
	list := []control{
		{"right server", "", nil, defect.Right, catalogue.ControlScript()},
		{"right server, page that shows all", "", defect.Page, defect.Right, catalogue.ControlScript()},
		{"right server under traffic", "", nil, defect.Right, catalogue.ControlScriptUnderTraffic()},
		{"right server, refresh", "", nil, defect.Right, catalogue.ControlScriptWithRefresh()},
	}
	for _, s := range defect.Servers {
		p := catalogue.ControlScript()
		if s.Name == "published" {
			p = catalogue.ControlScriptUnderTraffic()
		}
		list = append(list, control{"server " + s.Name, s.Rule, s.Page, s.New, p})
	}
	for _, s := range defect.Pages {
		p := catalogue.ControlScript()
		switch s.Name {
		case "moves ahead":
			p = catalogue.ControlScriptUnderTraffic()
		case "keeps its offset":
			p = catalogue.ControlScriptWithRefresh()
		}
		list = append(list, control{"page " + s.Name, s.Rule, s.HTML, s.New, p})
	}
	return list
}

const serveControl = "serve-control"

func TestMain(m *testing.M) {
	servers.BecomeStep()
	becomeControl()
	os.Exit(m.Run())
}

// artifacts is where failing runs are kept: out/ in the module, which is ignored.
const artifacts = "../../out/test"

// becomeControl turns the test's process into a server of the controls, as
// BecomeStep does for the steps.
func becomeControl() {
	if len(os.Args) != 3 || os.Args[1] != serveControl {
		return
	}
	for _, c := range controls() {
		if c.name != os.Args[2] {
			continue
		}
		handler, _, err := c.new(os.Getenv(contract.EnvDataDir), nil)
		if err == nil {
			var listener net.Listener
			if listener, err = net.Listen("tcp", "127.0.0.1:"+os.Getenv(contract.EnvPort)); err == nil {
				err = http.Serve(listener, handler)
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestControls shows each rule something that breaks it on purpose, in real
// processes: that rule must fail, and no other.
func TestControls(t *testing.T) {
	seen := map[contract.RuleID]bool{}
	for _, c := range controls() {
		seen[c.rule] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			verdict := c.judge(t)
			want := check.Fail
			if c.rule == "" {
				want = check.Pass
			}
			if verdict.Outcome != want {
				t.Fatalf("the verdict is %s %s; it must be %s %s", verdict.Outcome, verdict.Reason, want, c.rule)
			}
			if verdict.Rule() != c.rule {
				t.Errorf("%s is blamed, not %s: %v", verdict.Rule(), c.rule, verdict.Findings)
			}
			for rule, count := range verdict.Counts {
				// The published server breaks what it breaks by races, and may break more.
				if count > 0 && rule != c.rule && c.name != "server published" {
					t.Errorf("%s is blamed as well, %d times: %v", rule, count, verdict.Findings)
				}
			}
		})
	}
	for _, rule := range contract.Rules {
		if !seen[rule.ID] {
			t.Errorf("no control breaks the rule %s", rule.ID)
		}
	}
}

func (c control) judge(t *testing.T) check.Verdict {
	t.Helper()
	html := c.html
	if html == nil {
		lesson, err := lessons.Find("7")
		if err != nil {
			t.Fatal(err)
		}
		html = lesson.Page
	}
	itself, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := lab.Server{Target: func(plan.Tuning) (target.Target, error) {
		return target.NewCommand(target.CommandOptions{Command: []string{itself, serveControl, c.name}})
	}}
	run := lab.Real.Play(t.Context(), server, lab.Config{
		Level: contract.ServerDelivery, KeepsLog: true, HTML: html, Bundle: lessons.FetchBundle,
		// What a broken server owes does not come however long one waits.
		Bound: 12 * time.Second, ShownBound: 6 * time.Second,
	}, c.plan)
	if run.Err != nil {
		t.Fatalf("%v\n%s", run.Err, run.Output)
	}
	return check.Judge(run.Events)
}
