// Package exercises holds the exercises at the end of the tutorial's chapters: the code that
// each starts from, the scenarios that a solution has to pass, its questions, hints and
// solution.
//
// Read [Exercise] first, then one of the files in data: there is one for each exercise, with
// its texts in both languages. [Copy] is the code that a learner edits, which git ignores.
// check.go builds that copy and plays the scenarios on it. [Progress] is the saved state.
//
// An exercise starts from the step's own code with a few changes that turn it into the
// published, failing code. So the step itself is the solution, and is stored only once.
//
// exercises prints nothing and asks nothing: the subcommand learn of cmd/redial does.
package exercises

import (
	"cmp"
	"embed"
	"fmt"
	"path"
	"strings"
	"sync"

	"redial/harness/contract"
	"redial/scenarios/internal/strict"
	"redial/steps/lessons"
)

// An Exercise is one exercise, as its file in data describes it.
type Exercise struct {
	// Step is the number of the step that the exercise is about, and the exercise's name.
	Step string `yaml:"step"`
	// Solution is the step whose code solves the exercise, in most cases the same step.
	Solution string `yaml:"solution"`
	// Scenarios are the scenarios that the copy has to pass.
	Scenarios []Scenario `yaml:"scenarios"`
	// Changes turn the step's code into the starting code.
	Changes []Change `yaml:"changes"`
	// Answer is the letter of the right choice: a, b or c.
	Answer string `yaml:"answer"`
	En     Text   `yaml:"en"`
	Ko     Text   `yaml:"ko"`
}

// A Scenario is a scenario of the catalogue, and the expected result of the starting code.
type Scenario struct {
	ID string `yaml:"id"`
	// Breaks is the rule that the starting code breaks; it is empty if the starting code
	// passes, or fails only in some runs because of a race condition.
	Breaks contract.RuleID `yaml:"breaks"`
}

// A Change replaces a text that occurs exactly once in a file.
type Change struct {
	File string `yaml:"file"`
	Old  string `yaml:"old"`
	New  string `yaml:"new"`
}

// A Text is the exercise's text in one language.
type Text struct {
	Title string `yaml:"title"`
	Goal  string `yaml:"goal"`
	// Question and Choices ask for a prediction; Why explains the right answer.
	Question string   `yaml:"question"`
	Choices  []string `yaml:"choices"`
	Why      string   `yaml:"why"`
	// Hints begin with a nudge and end close to the solution.
	Hints []string `yaml:"hints"`
	// Solution explains the code of the solution.
	Solution string `yaml:"solution"`
}

//go:embed data/*.yaml
var data embed.FS

// All returns the exercises in reading order.
var All = sync.OnceValues(func() (all []Exercise, err error) {
	for _, lesson := range lessons.All {
		text, err := data.ReadFile(path.Join("data", lesson.Number+".yaml"))
		if err != nil {
			continue // steps 1 and 2 have no exercise
		}
		e, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("the exercise of step %s: %w", lesson.Number, err)
		}
		all = append(all, e)
	}
	return all, nil
})

func parse(text []byte) (e Exercise, err error) {
	document, err := strict.Parse(text)
	if err == nil {
		err = strict.Decode(document, &e)
	}
	e.Solution = cmp.Or(e.Solution, e.Step)
	return e, err
}

// Find returns the exercise of a step. The error lists the steps that have one.
func Find(step string) (Exercise, error) {
	all, err := All()
	if err != nil {
		return Exercise{}, err
	}
	var steps []string
	for _, e := range all {
		if e.Step == step {
			return e, nil
		}
		steps = append(steps, e.Step)
	}
	return Exercise{}, fmt.Errorf("there is no exercise %q; the exercises are %s", step, strings.Join(steps, ", "))
}

// In returns the exercise's text in a language: Korean for "ko", and English otherwise.
func (e Exercise) In(language string) Text {
	if language == "ko" {
		return e.Ko
	}
	return e.En
}

// Choice returns the letter of the n-th choice.
func Choice(n int) string { return string(rune('a' + n)) }

// apply applies the changes to the text. The error names the first change that does not
// match exactly once.
func apply(file, text string, changes []Change) (string, error) {
	for _, c := range changes {
		if c.File != file {
			continue
		}
		if n := strings.Count(text, c.Old); n != 1 {
			return "", fmt.Errorf("%s has %q %d times, and not once", file, c.Old, n)
		}
		text = strings.Replace(text, c.Old, c.New, 1)
	}
	return text, nil
}
