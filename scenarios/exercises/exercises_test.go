package exercises

import (
	"os"
	"slices"
	"strings"
	"testing"

	"redial/harness/contract"
	"redial/scenarios/servers"
	"redial/steps/lessons"
)

func TestMain(m *testing.M) {
	servers.BecomeStep()
	os.Exit(m.Run())
}

// all returns the exercises, and fails the test if one of them cannot be read.
func all(t *testing.T) []Exercise {
	t.Helper()
	found, err := All()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEveryStepFromThreeOnHasAnExercise(t *testing.T) {
	var got []string
	for _, e := range all(t) {
		got = append(got, e.Step)
	}
	var want []string
	for _, lesson := range lessons.All {
		if lesson.Number != "1" && lesson.Number != "2" {
			want = append(want, lesson.Number)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("there are exercises for the steps %v, want %v", got, want)
	}
}

// Both languages must have every text, and the same number of choices and hints.
func TestEveryExerciseIsWhole(t *testing.T) {
	for _, e := range all(t) {
		for _, wrong := range lacks(e) {
			t.Errorf("exercise %s: %s", e.Step, wrong)
		}
		if _, err := e.scenarios(); err != nil {
			t.Errorf("exercise %s: %v", e.Step, err)
		}
	}
}

func TestWhatAnExerciseLacksIsFound(t *testing.T) {
	whole, err := Find("7")
	if err != nil {
		t.Fatal(err)
	}
	for name, breakIt := range map[string]func(*Exercise){
		"a title":        func(e *Exercise) { e.Ko.Title = "" },
		"a goal":         func(e *Exercise) { e.En.Goal = " " },
		"a question":     func(e *Exercise) { e.Ko.Question = "" },
		"why":            func(e *Exercise) { e.Ko.Why = "" },
		"a solution":     func(e *Exercise) { e.En.Solution = "" },
		"a hint":         func(e *Exercise) { e.Ko.Hints = e.Ko.Hints[:2] },
		"a choice":       func(e *Exercise) { e.Ko.Choices = e.Ko.Choices[:2] },
		"English in ko":  func(e *Exercise) { e.Ko.Goal = e.En.Goal },
		"an answer":      func(e *Exercise) { e.Answer = "d" },
		"a failing row":  func(e *Exercise) { e.Scenarios = []Scenario{{ID: "clean-drop"}} },
		"a rule by name": func(e *Exercise) { e.Scenarios = []Scenario{{ID: "clean-drop", Breaks: "no-such-rule"}} },
	} {
		t.Run(name, func(t *testing.T) {
			e := whole
			breakIt(&e)
			if len(lacks(e)) == 0 {
				t.Error("nothing was found to be missing")
			}
		})
	}
}

// lacks lists the missing parts of an exercise.
func lacks(e Exercise) (wrong []string) {
	for language, text := range map[string]Text{"en": e.En, "ko": e.Ko} {
		for what, s := range map[string]string{"title": text.Title, "goal": text.Goal, "question": text.Question, "why": text.Why, "solution": text.Solution} {
			if strings.TrimSpace(s) == "" {
				wrong = append(wrong, language+" has no "+what)
			}
			if hangul := strings.ContainsFunc(s, func(r rune) bool { return '가' <= r && r <= '힣' }); hangul != (language == "ko") {
				wrong = append(wrong, language+" is in another language: "+what)
			}
		}
		if len(text.Choices) != 3 || len(text.Hints) != 3 {
			wrong = append(wrong, language+" needs three choices and three hints")
		}
	}
	if len(e.Answer) != 1 || e.Answer < Choice(0) || e.Answer > Choice(2) {
		wrong = append(wrong, "the answer is none of the choices")
	}
	fails := false
	for _, s := range e.Scenarios {
		fails = fails || s.Breaks != ""
		if s.Breaks != "" && !slices.ContainsFunc(contract.Rules, func(r contract.Rule) bool { return r.ID == s.Breaks }) {
			wrong = append(wrong, "there is no rule "+string(s.Breaks))
		}
	}
	if !fails {
		wrong = append(wrong, "it fails nowhere")
	}
	return wrong
}
