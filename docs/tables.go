package docs

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"

	"redial/docs/internal/markdown"
	"redial/harness/contract"
	"redial/scenarios/catalogue"
	"redial/scenarios/servers"
	"redial/steps/lessons"
)

// table generates a table from the code that defines its content. The Korean text is in
// words.json under the English sentence, so a changed sentence stops the generator until
// somebody translates it.
func (p pageWriter) table(d markdown.Directive) (string, error) {
	tables := map[string]func(*words) (string, error){
		"steps": p.stepTable, "levels": p.levelTable, "rules": p.ruleTable,
		"scenarios": p.scenarioTable, "matrix": p.matrixTable, "glossary": p.glossaryTable, "cost": p.costTable,
	}
	write, ok := tables[d.Arguments[0]]
	if !ok {
		return "", fmt.Errorf("there is no table %q; there are %s", d.Arguments[0], strings.Join(sorted(tables), ", "))
	}
	w, err := p.words()
	if err != nil {
		return "", err
	}
	return write(w)
}

// words translates the texts of the code into the page's language.
type words struct {
	korean  map[string]string
	missing []string
	page    string
}

func (p pageWriter) words() (*words, error) {
	w := &words{page: p.page}
	if languageOf(p.page) == english {
		return w, nil
	}
	if err := json.Unmarshal([]byte(p.before[wordsFile]), &w.korean); err != nil {
		return nil, fmt.Errorf("%s: %w", wordsFile, err)
	}
	return w, nil
}

func (w *words) say(sentence string) string {
	if languageOf(w.page) == english {
		return sentence
	}
	said, ok := w.korean[sentence]
	if !ok {
		w.missing = append(w.missing, sentence)
	}
	return said
}

func (w *words) err() error {
	if len(w.missing) == 0 {
		return nil
	}
	return fmt.Errorf("%s has no Korean for: %q", wordsFile, w.missing)
}

// rows writes a Markdown table; the first row is the header.
func (w *words) rows(rows [][]string) (string, error) {
	var out strings.Builder
	for i, row := range rows {
		out.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			out.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return out.String(), w.err()
}

func (p pageWriter) stepTable(w *words) (string, error) {
	rows := [][]string{{w.say("Step"), w.say("What it adds"), w.say("Code")}}
	for _, lesson := range lessons.All {
		chapter := "step-" + lesson.Number
		title := w.say(lesson.Title)
		if p.before["docs/en/"+chapter+".md"] != "" {
			title = fmt.Sprintf("[%s](%s.md)", title, chapter)
		}
		folder := "step" + lesson.Number
		rows = append(rows, []string{lesson.Number, title, fmt.Sprintf("[`steps/%s`](../../steps/%s)", folder, folder)})
	}
	return w.rows(rows)
}

func (p pageWriter) levelTable(w *words) (string, error) {
	comments, err := constComments(p.path("harness/contract/contract.go"), "Level")
	if err != nil {
		return "", err
	}
	rows := [][]string{{"`--level`", w.say("What it promises")}}
	for _, level := range contract.Levels {
		promise := comments[string(level)]
		if promise == "" {
			return "", fmt.Errorf("the level %s has no comment that says what it promises", level)
		}
		rows = append(rows, []string{"`" + string(level) + "`", w.say(promise)})
	}
	return w.rows(rows)
}

// constComments returns the comments of the constants of a type by the constants' values,
// without the name that begins each comment.
func constComments(file, typeName string) (map[string]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	comments := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind, _ := spec.Type.(*ast.Ident)
		value, _ := spec.Values[0].(*ast.BasicLit)
		if kind == nil || kind.Name != typeName || value == nil || spec.Doc == nil {
			return true
		}
		text := strings.Join(strings.Fields(spec.Doc.Text()), " ")
		text = strings.TrimPrefix(text, spec.Names[0].Name+": ")
		comments[strings.Trim(value.Value, `"`)] = text
		return true
	})
	return comments, nil
}

func (p pageWriter) ruleTable(w *words) (string, error) {
	rows := [][]string{{w.say("Rule"), w.say("What must hold"), w.say("From level")}}
	for _, rule := range contract.Rules {
		from := "`" + string(rule.MustFrom) + "`"
		if rule.MustFrom == contract.Never {
			from = w.say("a should at every level")
		}
		rows = append(rows, []string{"`" + string(rule.ID) + "`", w.say(rule.Sentence), from})
	}
	return w.rows(rows)
}

func (p pageWriter) scenarioTable(w *words) (string, error) {
	rows := [][]string{{w.say("Row"), w.say("Scenario"), w.say("What happens"), w.say("What decides")}}
	for _, s := range catalogue.All {
		rows = append(rows, []string{fmt.Sprint(s.Row), "`" + s.ID + "`", w.say(s.Title), w.say(s.Why)})
	}
	return w.rows(rows)
}

// signs maps each expectation to its mark in the matrix.
var signs = map[catalogue.Expectation]string{
	catalogue.ExactlyOnce: "✓", catalogue.Loses: "L", catalogue.Duplicates: "D",
	catalogue.MayLose: "(L)", catalogue.DoesNotApply: "–",
}

func (p pageWriter) matrixTable(w *words) (string, error) {
	head := []string{w.say("Scenario")}
	head = append(head, servers.MatrixSteps...)
	rows := [][]string{append(head, w.say("What happens"))}
	for _, s := range catalogue.All {
		row := []string{"`" + s.ID + "`"}
		for _, step := range servers.MatrixSteps {
			expected, ok := s.Expect[step]
			if !ok {
				expected = catalogue.DoesNotApply
			}
			sign, ok := signs[expected]
			if !ok {
				return "", fmt.Errorf("there is no sign for %q", expected)
			}
			row = append(row, sign)
		}
		rows = append(rows, append(row, w.say(s.Title)))
	}
	text, err := w.rows(rows)
	return text + "\n" + w.say("✓ exactly once, L lost, (L) lost or not, as a race decides, D duplicated, – does not apply. From step 5 on, a letter marks a failure that the level of the step does not rule out: check prints ~ for it, and passes") + "\n", errors.Join(err, w.err())
}

// A Term is an entry of the glossary.
type Term struct {
	English string `json:"english"`
	Korean  string `json:"korean"`
	// Avoid lists Korean synonyms that the pages must not use.
	Avoid []string `json:"avoid,omitempty"`
	// Says and SaysKorean explain the term in one sentence.
	Says       string `json:"says"`
	SaysKorean string `json:"saysKorean"`
}

func glossary(t Tree) ([]Term, error) {
	var terms []Term
	if err := json.Unmarshal([]byte(t[glossaryFile]), &terms); err != nil {
		return nil, fmt.Errorf("%s: %w", glossaryFile, err)
	}
	return terms, nil
}

func (p pageWriter) glossaryTable(w *words) (string, error) {
	terms, err := glossary(p.before)
	if err != nil {
		return "", err
	}
	if languageOf(p.page) == english {
		rows := [][]string{{"Term", "Korean", "What it means"}}
		for _, term := range terms {
			rows = append(rows, []string{term.English, term.Korean, term.Says})
		}
		return w.rows(rows)
	}
	rows := [][]string{{"우리말", "English", "쓰지 않는 말", "뜻"}}
	for _, term := range terms {
		rows = append(rows, []string{term.Korean, term.English, strings.Join(term.Avoid, ", "), term.SaysKorean})
	}
	return w.rows(rows)
}
