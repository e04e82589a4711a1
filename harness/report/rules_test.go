package report

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
)

// failures returns the terminal text of each history in testdata/rules by the history's name,
// which begins with the rule that it breaks. The histories are a few lines each, written by
// hand.
func failures(t *testing.T, s Style) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/rules/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories: %v", err)
	}
	texts := map[string]string{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		events := readHistory(t, file)
		v := check.Judge(events)
		rule := string(v.Rule())
		if rule == "" && len(v.Findings) > 0 {
			rule = string(v.Findings[0].Rule) // a should
		}
		if rule == "" || !strings.HasPrefix(name, rule) || len(v.Counts) != 1 {
			t.Errorf("%s: blamed is %q, in all %v", name, rule, v.Counts)
		}
		texts[name] = failure(v, events, s)
	}
	return texts
}

func readHistory(t *testing.T, file string) []history.Event {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := history.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// failure is the terminal text of a failed run.
func failure(v check.Verdict, events []history.Event, s Style) string {
	return strings.Join(explain(Result{
		Title: "written by hand", Verdict: v, Events: events,
		Tally:     check.Tally{Runs: 1, Lost: v.Lost, Duplicated: v.Duplicated, Reordered: v.Reordered},
		Replay:    "redial replay failed.json",
		Artifacts: []string{"failed.json"},
	}, s), "\n") + "\n"
}

// Each rule of the contract has a golden text, plain and with the drawing.
func TestGoldenFailures(t *testing.T) {
	plain, drawn := failures(t, Style{}), failures(t, Style{Lanes: true})
	for _, rule := range contract.Rules {
		if plain[string(rule.ID)] == "" {
			t.Errorf("the rule %s has no history in testdata/rules", rule.ID)
		}
	}
	for name, text := range plain {
		golden(t, filepath.Join("golden", name+".txt"), text)
		golden(t, filepath.Join("golden", name+".lanes.txt"), drawn[name])
	}
}

// internal matches the kit's own terms.
var internal = regexp.MustCompile(`(?i)\bbarrier|\blate\b|\bbent\b|\bat rest\b|\breader\b|\bsettle|phantom\b.*phantom`)

// An inconclusive result uses none of the kit's internal terms. Its reason quotes the wait of
// the lab that timed out, so the test reads the waits from the source of package lab.
func TestInconclusiveReasonsUseNoInternalTerms(t *testing.T) {
	waits := waitsOfLab(t)
	if len(waits) < 10 {
		t.Fatalf("package lab has only the waits %q", waits)
	}
	files, err := filepath.Glob("../check/testdata/inconclusive-*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories of package check: %v", err)
	}
	for _, file := range files {
		events := readHistory(t, file)
		for _, wait := range waits {
			for i, e := range events {
				if e.Kind == history.TimedOut {
					events[i].Message, events[i].Detail = "", wait
				}
			}
			v := check.Judge(events)
			if v.Outcome != check.Inconclusive {
				t.Errorf("%s: %s", file, v.Outcome)
			}
			if word := internal.FindString(v.Reason); word != "" {
				t.Errorf("%s: a word of the kit's own, %q: %s", file, word, v.Reason)
			}
		}
	}
}

// waitsOfLab returns the texts with which package lab describes a wait that timed out.
func waitsOfLab(t *testing.T) (waits []string) {
	t.Helper()
	texts := func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			waits = append(waits, text)
		}
		return true
	}
	inspectFiles(t, "../lab/*.go", func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt: // awaitStep completes the event that expect records
			if field, ok := n.Lhs[0].(*ast.SelectorExpr); ok && fmt.Sprint(field.X, ".", field.Sel) == "late.Detail" {
				ast.Inspect(n.Rhs[0], texts)
			}
		case *ast.CompositeLit:
			fields := map[string]ast.Expr{}
			for _, e := range n.Elts {
				if field, ok := e.(*ast.KeyValueExpr); ok {
					fields[fmt.Sprint(field.Key)] = field.Value
				}
			}
			kind, ok := fields["Kind"].(*ast.SelectorExpr)
			if detail := fields["Detail"]; detail != nil && (fields["Kind"] == nil || ok && kind.Sel.Name == "TimedOut") { // expect adds the kind
				ast.Inspect(detail, texts)
			}
		}
		return true
	})
	return waits
}

// A failure uses none of the kit's internal terms, and lists every event that it names, so
// that a reader can follow the reason without opening the history.
func TestFailuresExplainThemselves(t *testing.T) {
	event := regexp.MustCompile(`events? (\d+)(?: (?:to|and) (\d+))?`)
	texts := failures(t, Style{})
	// The histories of package check show events that the golden ones lack.
	files, err := filepath.Glob("../check/testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories of package check: %v", err)
	}
	for _, file := range files {
		events := readHistory(t, file)
		for _, level := range contract.Levels {
			events[0].Level = level
			if v := check.Judge(events); v.Rule() != "" {
				texts[fmt.Sprintf("%s at %s", filepath.Base(file), level)] = failure(v, events, Style{})
			}
		}
	}
	named := 0
	for name, text := range texts {
		if word := internal.FindString(strings.ReplaceAll(text, "alice is here", "")); word != "" {
			t.Errorf("%s: a word of the kit's own, %q:\n%s", name, word, text)
		}
		reason, list, _ := strings.Cut(text, "\n  history ")
		reason = strings.Join(strings.Fields(reason), " ")
		for _, match := range event.FindAllStringSubmatch(reason, -1) {
			for _, number := range match[1:] {
				if number == "" {
					continue
				}
				named++
				if !regexp.MustCompile(`(?m)^ {4}[ >] *` + number + ` `).MatchString(list) {
					t.Errorf("%s: event %s is named and not listed:\n%s", name, number, text)
				}
			}
		}
		if !strings.Contains(list, "\n    >") {
			t.Errorf("%s: nothing is marked:\n%s", name, text)
		}
	}
	if named == 0 {
		t.Error("no text names an event")
	}
}

// A drawing stays within its width and 25 lines, however many clients take part.
func TestLanesFit(t *testing.T) {
	events, finding := crowd(500)
	r := Result{Events: events, Verdict: check.Verdict{Findings: []check.Finding{finding}}}
	for _, width := range []int{80, 100, 200} {
		s := Style{Width: width, Lanes: true}
		lines := newExcerpt(r).lanes(s)
		if len(lines) < 5 || len(lines) > 25 {
			t.Errorf("%d lines", len(lines))
		}
		for _, line := range lines {
			if textWidth(line) > width {
				t.Errorf("a line of %d columns, with %s asked for: %s", textWidth(line), strconv.Itoa(width), line)
			}
		}
	}
	if lines := newExcerpt(Result{Events: events}).lanes(Style{Lanes: true}); lines != nil {
		t.Error("a failure without a finding is drawn")
	}
	var plain bytes.Buffer
	if err := Text(&plain, sample(), Style{}); err != nil || strings.ContainsAny(plain.String(), "│►╳") {
		t.Errorf("a drawing that nobody asked for (%v)", err)
	}
}
