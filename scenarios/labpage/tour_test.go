package labpage

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
)

type tourText map[string]string

type tourVerdict struct {
	Outcome    check.Outcome
	Rule       contract.RuleID
	Lost       any
	Duplicated any
	Reordered  any
}

type tourDocument struct {
	Step string
	Plan json.RawMessage
}

type tourBreak struct {
	ID          string
	Name        tourText
	Question    tourText
	Explanation tourText
	Options     []tourText
	Answer      int
	tourDocument
	Verdict tourVerdict
	Puzzle  struct {
		tourDocument
		Goal, Hint tourText
		Want       tourVerdict
		Solution   tourDocument
	}
	Next struct {
		Step    string
		Text    tourText
		Verdict tourVerdict
	}
}

func readTour(t *testing.T) []tourBreak {
	t.Helper()
	text, err := fs.ReadFile(Static(), "tour.json")
	if err != nil {
		t.Fatal(err)
	}
	var tour struct{ Breaks []tourBreak }
	if err := json.Unmarshal(text, &tour); err != nil {
		t.Fatal(err)
	}
	return tour.Breaks
}

// differs describes how a run differs from the result that the tour gives, as the function
// meets in tour.js does.
func (v tourVerdict) differs(r Response) string {
	if r.Error != "" {
		return r.Error
	}
	if v.Outcome != "" && v.Outcome != r.Outcome {
		return fmt.Sprintf("the outcome is %s: %s", r.Outcome, r.Reason)
	}
	for _, f := range r.Findings {
		if own := string(r.Level); f.Promised && strings.Contains(f.Expected, "level ") && !strings.Contains(f.Expected, "level "+own+" ") {
			return fmt.Sprintf("it breaks the promise of level %s, and is explained by another: %s", own, f.Expected)
		}
	}
	if v.Rule != "" && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule == v.Rule }) {
		return fmt.Sprintf("the rule %s is not broken: %+v", v.Rule, r.Findings)
	}
	for name, pair := range map[string][2]any{"lost": {v.Lost, r.Beyond.Lost}, "duplicated": {v.Duplicated, r.Beyond.Duplicated}, "reordered": {v.Reordered, r.Beyond.Reordered}} {
		want, got := pair[0], pair[1].(int)
		if want == "some" && got > 0 || want == nil {
			continue
		}
		if n, isNumber := want.(float64); !isNumber || int(n) != got {
			return fmt.Sprintf("%s is %d, not %v", name, got, want)
		}
	}
	return ""
}

func (d tourDocument) play() Response {
	return Play(context.Background(), Request{Step: d.Step, Plan: d.Plan})
}

func TestTourTellsTheVerdictOfEachBreak(t *testing.T) {
	breaks := readTour(t)
	if len(breaks) != 12 {
		t.Fatalf("the tour has %d breaks", len(breaks))
	}
	for _, b := range breaks {
		if different := b.Verdict.differs(b.play()); different != "" {
			t.Errorf("%s on %s: %s", b.ID, b.Step, different)
		}
		if different := b.Next.Verdict.differs(tourDocument{b.Next.Step, b.Plan}.play()); different != "" {
			t.Errorf("%s, next on %s: %s", b.ID, b.Next.Step, different)
		}
		if b.Answer < 0 || b.Answer >= len(b.Options) {
			t.Errorf("%s has no option %d", b.ID, b.Answer)
		}
		for _, text := range append([]tourText{b.Name, b.Question, b.Explanation, b.Puzzle.Goal, b.Puzzle.Hint, b.Next.Text}, b.Options...) {
			if text["en"] == "" || text["ko"] == "" {
				t.Errorf("%s lacks a text: %v", b.ID, text)
			}
			if phrase := englishPhrase.FindString(text["ko"]); phrase != "" {
				t.Errorf("%s says %q in Korean: %s", b.ID, phrase, text["ko"])
			}
		}
	}
}

func TestTourPuzzlesAreUnsolvedAndSolvable(t *testing.T) {
	for _, b := range readTour(t) {
		if b.Puzzle.Want.differs(b.Puzzle.play()) == "" {
			t.Errorf("%s: the puzzle is solved before anything was done", b.ID)
		}
		if different := b.Puzzle.Want.differs(b.Puzzle.Solution.play()); different != "" || b.Puzzle.Solution.Step != b.Puzzle.Step {
			t.Errorf("%s: the solution does not reach the goal: %s", b.ID, different)
		}
	}
}

func TestWordsHaveTheSameKeysInBothLanguages(t *testing.T) {
	read := func(name string) map[string]string {
		words := map[string]string{}
		text, err := fs.ReadFile(Static(), name)
		if err == nil {
			err = json.Unmarshal(text, &words)
		}
		if err != nil {
			t.Fatal(err)
		}
		return words
	}
	en, ko := read("en.json"), read("ko.json")
	for _, key := range slices.Sorted(maps.Keys(en)) {
		if ko[key] == "" || en[key] == "" {
			t.Errorf("%q has no text in one of the languages", key)
		}
		if a, b := placeholders(en[key]), placeholders(ko[key]); !slices.Equal(a, b) {
			t.Errorf("%q has %v in English and %v in Korean", key, a, b)
		}
	}
	for key, text := range ko {
		if en[key] == "" {
			t.Errorf("%q is in Korean only", key)
		}
		if phrase := englishPhrase.FindString(text); phrase != "" && !strings.Contains(text, "redial replay") {
			t.Errorf("%q says %q in Korean", key, phrase)
		}
	}
}

// englishPhrase is two English words in a row, which no name in the page's words has.
var englishPhrase = regexp.MustCompile(`[A-Za-z][a-z’']+(?: [a-z][a-z’']+)+`)

func placeholders(text string) []string {
	return slices.Compact(slices.Sorted(slices.Values(placeholder.FindAllString(text, -1))))
}

var placeholder = regexp.MustCompile(`\{\w+\}`)
