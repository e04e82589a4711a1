package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"redial/harness/client/browser"
	"redial/harness/history"
	"redial/harness/network/paths"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/servers"
)

// switching are the scenarios in which a client switches networks, which a step's own page
// can play, and switchSteps the steps that promise something about it.
var (
	switching   = []string{"network-switch", "switch-then-drop", "write-on-dead-connection"}
	switchSteps = []string{"6", "7", "10"}
)

// stepPage describes the elements of a step's page.
var stepPage = browser.Spec{Input: "#input", Submit: "#form button", Messages: "#messages li"}

// Paths plays those of the scenarios in which a client switches networks, with the step's own
// page in Chromium, over loopback and between two real network paths, runs times each. It returns the outcomes
// as a Markdown table, which is empty if there are no such scenarios, and counts the rows that
// differ. The error is paths.ErrUnavailable or browser.ErrNoChromium if this machine cannot
// play them. If ctx ends, the table has what had ended by then.
func Paths(ctx context.Context, which []catalogue.Scenario, seed uint64, runs int, done func(finished, all int, result report.Result)) (table string, differ int, err error) {
	which = slices.DeleteFunc(slices.Clone(which), func(s catalogue.Scenario) bool { return !slices.Contains(switching, s.ID) })
	if len(which) == 0 {
		return "", 0, nil
	}
	if err := paths.Available(); err != nil {
		return "", 0, err
	}
	if _, err := browser.Find(); err != nil {
		return "", 0, err
	}
	var tested []servers.Server
	for _, step := range switchSteps {
		for _, real := range []bool{false, true} {
			s, err := servers.Step(step)
			if err != nil {
				return "", 0, err
			}
			s.NewPage, s.RealNetwork = stepPage.New, real
			if real {
				s.Name += ", real network"
			}
			tested = append(tested, s)
		}
	}
	results, err := Run(ctx, tested, which, Options{Seed: seed, Runs: runs, Golden: true, Parallel: 2, Done: done})
	if err != nil && ctx.Err() == nil {
		return "", 0, err
	}
	var b strings.Builder
	b.WriteString("| # | scenario | step | loopback | noticed | back | real network | noticed | back |\n|---|---|---|---|---|---|---|---|---|\n")
	for n := 0; n+1 < len(results); n += 2 { // the two results of a step are adjacent
		loopback, real := results[n], results[n+1]
		if loopback.Letters() != real.Letters() {
			differ++
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", loopback.Row, loopback.ID, strings.TrimPrefix(loopback.Column, "step "),
			loopback.Letters(), after(loopback, history.Disconnected), after(loopback, history.Connected),
			real.Letters(), after(real, history.Disconnected), after(real, history.Connected))
	}
	return b.String(), differ, nil
}

// after is the time from the switch to the client's next event of the kind.
func after(r report.Result, kind history.Kind) string {
	var fired *history.Event
	for _, e := range r.Events {
		switch {
		case fired == nil && e.Kind == history.FaultFired && e.FaultKind == plan.Switch:
			fired = &e
		case fired != nil && e.Kind == kind && e.Client == fired.Client:
			return time.Duration(e.At - fired.At).Round(10 * time.Millisecond).String()
		}
	}
	return ""
}
