package labwasm_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/labpage"
	"redial/scenarios/runner"
)

// TestAScheduleFixesTheRun plays step 9, whose histories vary in the native lab: the server
// reads its log every 20 ms and also after each new message.
func TestAScheduleFixesTheRun(t *testing.T) {
	needsNode(t)
	r := labpage.Request{
		Step: "9", Plan: json.RawMessage(regexp.MustCompile(`("name":"\w+")`).ReplaceAllString(restarted, `$1,"kind":"wire"`)),
		View: labpage.View{Width: 900, Language: report.English, Detail: true},
	}
	// The comparison covers the history and every frame, including the ids of sockets and
	// sessions.
	play := func(schedule uint64) (events, frames string) {
		t.Helper()
		run, err := node.PlayExactly(r, schedule)
		if err != nil || run.Error != "" || len(run.Frames) == 0 {
			t.Fatal(err, run.Error, len(run.Frames))
		}
		return asJSON(t, run.Events), asJSON(t, run.Frames)
	}
	const times = 5
	events, frames := play(7)
	for i := 1; i < times; i++ {
		if again, passed := play(7); again != events || passed != frames {
			t.Fatalf("run %d of %d with one schedule is another one", i+1, times)
		}
	}
	for _, other := range []uint64{0, 8} {
		if _, passed := play(other); passed == frames {
			t.Errorf("the schedule %d changes nothing: randomness does not come of it", other)
		}
	}
}

// TestReplayExactlyRecurs plays a saved failure with the schedule that was found for it.
func TestReplayExactlyRecurs(t *testing.T) {
	needsNode(t)
	rows, err := catalogue.Find([]string{"clean-drop"})
	if err != nil {
		t.Fatal(err)
	}
	saved := runner.Saved{
		Target: "step 5", Level: contract.ServerDelivery, Lab: lab.Virtual.String(), Plan: rows[0].Plan(1),
		Verdict: check.Verdict{
			Outcome: check.Fail, Level: contract.ServerDelivery,
			Findings: []check.Finding{{Rule: contract.NoLoss, Must: true}},
		},
	}
	for i := range saved.Plan.Clients {
		saved.Plan.Clients[i].Kind = plan.Wire
	}
	result, err := saved.FindSchedule(t.Context(), node)
	if err != nil || saved.Schedule == 0 || result.Lost == 0 {
		t.Fatalf("schedule %d, %+v: %v", saved.Schedule, result.Verdict, err)
	}
	const times = 3
	if same, err := saved.Exactly(t.Context(), node, result, times); same != times || err != nil {
		t.Errorf("the same history in %d of %d runs: %v", same, times, err)
	}
	result.Events[len(result.Events)/2].At++
	if same, err := saved.Exactly(t.Context(), node, result, 1); same != 0 || err != nil {
		t.Errorf("a history that is a nanosecond off passes for the same: %v", err)
	}
	saved.Target = "step 7" // this step loses nothing
	if _, err := saved.FindSchedule(t.Context(), node); !errors.Is(err, runner.ErrOtherVerdict) {
		t.Errorf("a failure that is none any more: %v", err)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
