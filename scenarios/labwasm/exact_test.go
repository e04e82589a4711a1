package labwasm_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"redial/harness/report"
	"redial/scenarios/labpage"
	"redial/scenarios/labwasm"
)

// TestAScheduleFixesTheRun plays step 9, where the native lab comes to several histories:
// the server looks at its log every 20 ms and as soon as something is stored.
func TestAScheduleFixesTheRun(t *testing.T) {
	node, err := labwasm.Start(built(t))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	r := labpage.Request{
		Step: "9", Seed: 1, Plan: json.RawMessage(regexp.MustCompile(`("name":"\w+")`).ReplaceAllString(restarted, `$1,"kind":"wire"`)),
		View: labpage.View{Width: 900, Language: report.English, Detail: true},
	}
	// What was observed, and everything that passed: with the ids of sockets and sessions.
	play := func(schedule uint64) (events, frames string) {
		t.Helper()
		run, err := node.PlayExactly(r, schedule)
		if err != nil || run.Error != "" || len(run.Frames) == 0 {
			t.Fatal(err, run.Error, len(run.Frames))
		}
		return asJSON(t, run.Events), asJSON(t, run.Frames)
	}
	const times = 20
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

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
