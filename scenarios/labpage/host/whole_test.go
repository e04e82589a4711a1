package host

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"redial/harness/check"
	"redial/harness/plan"
	"redial/scenarios/labpage"
)

var whole = flag.Bool("whole", false, "try every edit at every step, and the whole tour, on both backs (make lab-all)")

// The faults that the page offers at a frame (frameFaults in detail.js).
var atFrame = []plan.FaultKind{plan.Cut, plan.HalfOpen, plan.Switch, plan.Outage, plan.RefreshPage, plan.Crash, plan.Restart}

func TestEveryEditAtEveryStep(t *testing.T) {
	if !*whole {
		t.Skip("minutes long: make lab-all runs it")
	}
	for _, back := range backs {
		for _, step := range []string{"5", "6", "7", "8", "9", "10"} {
			t.Run(back.name+" "+step, func(t *testing.T) {
				p := back.open(t)
				p.set("#step", step)
				made := slices.Clone(edits)
				log := get[bool](p, `!!document.querySelector('[data-key="server:empty"]')`)
				if hasLog := step != "5" && step != "6"; log != hasLog {
					t.Errorf("the page offers to empty a database: %v", log)
				}
				if log {
					made = append(made, ofTheLog...)
				}
				for _, e := range made {
					p.tries(t, step, e)
				}
				for _, kind := range atFrame {
					p.breaksFrame(t, step, kind, false)
					p.breaksFrame(t, step, kind, true)
				}
			})
		}
	}
}

// By default the page of files is tested on one step and the first fault of its tour,
// because WebAssembly is slow.
func TestPageOfFilesAgreesWithTheNativeLab(t *testing.T) {
	p := openStatic(t)
	p.triesSome(t, "7")
	p.tries(t, "7", ofTheLog[0]) // this server logs something
	p.tour(t, 1)
}

// The page is in Korean, and has to show no English on the way.
func TestTheTourEndsInThePageAsItTells(t *testing.T) { openKorean(t).tour(t, 12) }

func TestTheTourOfThePageOfFilesEndsAsItTells(t *testing.T) {
	if !*whole {
		t.Skip("a minute long: make lab-all runs it")
	}
	openStatic(t).tour(t, 12)
}

// told is the result of a run according to the tour.
type told struct {
	Outcome                     check.Outcome
	Rule                        string
	Lost, Duplicated, Reordered any // a number, "some", or nil
}

// tour takes the given number of faults of the tour: it answers the question, solves the
// puzzle with its solution, and continues with the next step.
func (p *tab) tour(t *testing.T, breaks int) {
	t.Helper()
	text, err := fs.ReadFile(labpage.Static(), "tour.json")
	if err != nil {
		t.Fatal(err)
	}
	var tour struct {
		Breaks []struct {
			ID      string
			Step    string
			Answer  int
			Verdict told
			Puzzle  struct{ Want told }
			Next    struct {
				Step    string
				Verdict told
			}
		}
	}
	if err := json.Unmarshal(text, &tour); err != nil {
		t.Fatal(err)
	}
	p.press(`[data-tour="start"]`)
	for i, b := range tour.Breaks[:breaks] {
		if step := p.document().Step; step != b.Step {
			t.Errorf("%s is asked of step %s, not %s", b.ID, step, b.Step)
		}
		p.press(fmt.Sprintf(`[data-option="%d"]`, b.Answer))
		if !get[bool](p, `!!document.querySelector("#tour .explanation") && !document.getElementById("story").inert`) {
			t.Errorf("%s: the answer is not explained, or the story not shown", b.ID)
		}
		p.comesTo(t, b.ID, b.Verdict)
		p.press(`[data-tour="puzzle"]`)
		if p.solved() {
			t.Errorf("%s: the puzzle is solved before anything was done", b.ID)
		}
		p.press(`[data-tour="solution"]`)
		if !p.solved() {
			t.Errorf("%s: its solution does not solve the puzzle", b.ID)
		}
		p.comesTo(t, b.ID+", solved", b.Puzzle.Want)
		p.press(`[data-tour="same"]`)
		if step := p.document().Step; step != b.Next.Step {
			t.Errorf("%s: the next step is %s, not %s", b.ID, step, b.Next.Step)
		}
		p.comesTo(t, b.ID+", next", b.Next.Verdict)
		if i+1 < len(tour.Breaks) {
			p.press(`[data-tour="next"]`)
		}
	}
}

func (p *tab) solved() bool {
	p.T.Helper()
	return get[string](p, `document.querySelector("#tour .goal").dataset.reached`) == "true"
}

// comesTo compares the page with the result that the tour gives.
func (p *tab) comesTo(t *testing.T, name string, want told) {
	t.Helper()
	shown := get[struct {
		Outcome                     check.Outcome
		Lost, Duplicated, Reordered int
		Rules                       []string
	}](p, `({ outcome: document.getElementById("verdict").dataset.outcome, lost: lab.run.beyond.lost, duplicated: lab.run.beyond.duplicated, reordered: lab.run.beyond.reordered,
		rules: lab.run.findings.map((f) => f.rule) })`)
	if want.Outcome != "" && shown.Outcome != want.Outcome || want.Rule != "" && !slices.Contains(shown.Rules, want.Rule) ||
		!amounts(want.Lost, shown.Lost) || !amounts(want.Duplicated, shown.Duplicated) || !amounts(want.Reordered, shown.Reordered) {
		t.Errorf("%s: the page comes to %+v, and the tour tells %+v", name, shown, want)
	}
	if *whole {
		agrees(t, p, name)
	}
}

func amounts(want any, got int) bool {
	switch want := want.(type) {
	case float64:
		return int(want) == got
	case string:
		return got > 0
	}
	return true
}
