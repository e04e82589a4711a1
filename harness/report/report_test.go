package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"redial/harness/check"
	"redial/harness/contract"
)

var update = flag.Bool("update", false, "write the golden files anew")

// writers lists every output, so that a test of a property covers all of them.
var writers = map[string]func(io.Writer, Report) error{
	"text.txt":         func(w io.Writer, r Report) error { return Text(w, r, Style{}) },
	"text-color.txt":   func(w io.Writer, r Report) error { return Text(w, r, Style{Color: true}) },
	"matrix.txt":       func(w io.Writer, r Report) error { return Matrix(w, r, Style{}) },
	"matrix-80.txt":    func(w io.Writer, r Report) error { return Matrix(w, r, Style{Width: 80}) },
	"matrix-color.txt": func(w io.Writer, r Report) error { return Matrix(w, r, Style{Color: true}) },
	"report.html":      HTML,
	"junit.xml":        JUnit,
	"report.json":      JSON,
	"github.md":        GitHubSummary,
}

func written(t *testing.T, write func(io.Writer, Report) error, r Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the tests with -update to write it", err)
	}
	if got != string(want) {
		t.Errorf("%s is not as in testdata; run with -update and look at the difference. Got:\n%s", name, got)
	}
}

func TestGolden(t *testing.T) {
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			r := sample()
			if strings.HasPrefix(name, "matrix") {
				r = sampleMatrix()
			}
			golden(t, name, written(t, write, r))
		})
	}
	t.Run("empty.txt", func(t *testing.T) { golden(t, "empty.txt", written(t, writers["text.txt"], Report{})) })
	t.Run("timeline.svg", func(t *testing.T) {
		f := sample().Results[1].Verdict.Findings[0]
		svg, _, _ := timeline{Events: halfOpenHistory(), Offence: &f, Name: "half-open"}.detail()
		golden(t, "timeline.svg", svg)
	})
}

// No text from a server reaches a terminal, a log or a file as a control character or as
// invalid UTF-8. Colours are the report's own. JSON is data for a program, so it may contain
// characters that print from right to left.
func TestNoControlCharactersGetOut(t *testing.T) {
	ours := regexp.MustCompile("\x1b\\[[0-9;]*m")
	all := maps.Clone(writers)
	all["lanes.txt"] = func(w io.Writer, r Report) error { return Text(w, r, Style{Lanes: true}) }
	for name, write := range all {
		for _, r := range []Report{sample(), hostile()} {
			got := written(t, write, r)
			if strings.Contains(name, "color") {
				got = ours.ReplaceAllString(got, "")
			}
			if !utf8.ValidString(got) {
				t.Errorf("%s: not UTF-8", name)
			}
			for i, c := range got {
				if c < ' ' && c != '\n' && c != '\t' || c == 0x7f || c == '\u202e' && name != "report.json" {
					t.Fatalf("%s: control character %U at byte %d", name, c, i)
				}
			}
		}
	}
}

func TestJUnit(t *testing.T) {
	for name, r := range map[string]Report{"sample": sample(), "hostile": hostile(), "matrix": sampleMatrix(), "empty": {}} {
		document := written(t, JUnit, r)
		wellFormed(t, document)
		var suites struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Failure, Error, Skipped *struct{}
			} `xml:"testsuite>testcase"`
		}
		if err := xml.Unmarshal([]byte(document), &suites); err != nil {
			t.Fatal(err)
		}
		_, fail, inconclusive, unsupported := r.Summary()
		tests := len(r.Results)
		if tests == 0 {
			tests, inconclusive = 1, 1
		}
		if suites.Tests != tests || len(suites.Cases) != tests || suites.Failures != fail ||
			suites.Errors != inconclusive || suites.Skipped != unsupported {
			t.Errorf("%s: counts %+v; want %d tests, %d failures, %d errors, %d skipped",
				name, suites, tests, fail, inconclusive, unsupported)
		}
	}
}

func TestJSONShape(t *testing.T) {
	for name, r := range map[string]Report{"sample": sample(), "empty": {}} {
		decoder := json.NewDecoder(strings.NewReader(written(t, JSON, r)))
		decoder.UseNumber()
		var got map[string]any
		if err := decoder.Decode(&got); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"target", "level", "seed", "scenarios", "summary"} {
			if _, ok := got[key]; !ok {
				t.Errorf("%s: no %q", name, key)
			}
		}
		if scenarios, ok := got["scenarios"].([]any); !ok || len(scenarios) != len(r.Results) {
			t.Errorf("%s: scenarios is %v", name, got["scenarios"])
		}
		for _, s := range got["scenarios"].([]any) {
			scenario := s.(map[string]any)
			if _, ok := scenario["artifacts"].([]any); !ok {
				t.Errorf("%s: artifacts is no array: %v", name, scenario["artifacts"])
			}
			for _, key := range []string{"id", "rule", "verdict", "lost", "duplicated", "reordered", "runs", "faults_fired"} {
				if _, ok := scenario[key]; !ok {
					t.Errorf("%s: a scenario has no %q", name, key)
				}
			}
		}
	}
	if !strings.Contains(written(t, JSON, sample()), `"seed": 18446744073709551615,`) {
		t.Error("the seed is not written as a whole number of 64 bits")
	}
}

func TestExitCode(t *testing.T) {
	result := func(outcome check.Outcome, runs int) Result {
		return Result{Tally: check.Tally{Runs: runs}, Verdict: check.Verdict{Outcome: outcome}}
	}
	pass, fail := result(check.Pass, 1), result(check.Fail, 1)
	inconclusive, unsupported := result(check.Inconclusive, 1), result(check.Unsupported, 0)
	for _, c := range []struct {
		name    string
		results []Result
		want    int
	}{
		{"all pass", []Result{pass, pass}, 0},
		{"unsupported is no obstacle", []Result{pass, unsupported}, 0},
		{"one fails", []Result{pass, fail}, 1},
		{"fail outweighs inconclusive", []Result{inconclusive, fail, pass}, 1},
		{"one inconclusive", []Result{pass, inconclusive}, 2},
		{"nothing selected", nil, 2},
		{"all unsupported", []Result{unsupported}, 2},
		{"a pass that was never run", []Result{pass, result(check.Pass, 0)}, 2},
		{"an outcome that is missing", []Result{pass, result("", 1)}, 2},
		{"an outcome that is unknown", []Result{pass, result("passed", 1)}, 2},
	} {
		if got := (Report{Results: c.results}).ExitCode(); got != c.want {
			t.Errorf("%s: exit code %d, want %d", c.name, got, c.want)
		}
	}
	if ExitUsage != 3 {
		t.Error("the exit code for usage has changed")
	}
}

func TestAsExpected(t *testing.T) {
	for _, c := range []struct {
		outcome   check.Outcome
		expected  check.Expectation
		lost, dup int
		cell      string
	}{
		{check.Pass, "", 0, 0, "✓"},
		{check.Pass, "exactly once", 0, 0, "✓"},
		{check.Pass, "lost", 0, 0, "✓!"},
		{check.Pass, "exactly once", 1, 0, "L!"},
		{check.Pass, "", 1, 0, "L"},
		{check.Fail, "lost", 1, 0, "L"},
		{check.Fail, "", 1, 0, "L!"},
		{check.Fail, "lost", 1, 1, "LD!"},
		{check.Fail, "lost and duplicated", 1, 1, "LD"},
		{check.Fail, "lost or not", 1, 0, "L"},
		{check.Pass, "lost or not", 0, 0, "✓"},
		{check.Fail, "lost or not", 1, 1, "LD!"},
		{check.Fail, check.Duplicates, 0, 1, "D"},
		{check.Pass, check.Duplicates, 0, 0, "✓!"},
		{check.Fail, "another rule broken", 0, 0, "X"},
		{check.Fail, "", 0, 0, "X!"},
		{check.Fail, "gone", 1, 0, "L!"},
		{check.Unsupported, "", 0, 0, "–"},
		{check.Unsupported, "does not apply", 0, 0, "–"},
		{check.Unsupported, "lost", 0, 0, "–!"},
		{check.Inconclusive, "", 0, 0, "?"},
	} {
		v := check.Verdict{Outcome: c.outcome, Lost: c.lost, Duplicated: c.dup}
		if c.outcome == check.Fail && c.lost+c.dup == 0 {
			v.Counts = map[contract.RuleID]int{contract.Sends: 1}
		}
		r := Result{Expected: c.expected, Met: v.Meets(c.expected, ""), Tally: check.Tally{Runs: 1, Lost: c.lost, Duplicated: c.dup}, Verdict: v}
		if got := r.cell(); got != c.cell {
			t.Errorf("%s, expected %q, %d lost, %d duplicated: cell %q, want %q", c.outcome, c.expected, c.lost, c.dup, got, c.cell)
		}
	}
}

// Two results for one cell are both shown.
func TestMatrixHidesNothing(t *testing.T) {
	r := sampleMatrix()
	r.Results = append(r.Results, r.Results[3])
	shown := 0
	for _, row := range r.rows() {
		for _, cell := range row.Cells {
			if cell != nil {
				shown++
			}
		}
	}
	if shown != len(r.Results) {
		t.Errorf("%d of %d results are shown", shown, len(r.Results))
	}
}

func TestLinesFit(t *testing.T) {
	for _, width := range []int{72, 80, 100} {
		for _, r := range []Report{sample(), sampleMatrix()} {
			r.Results[0].Title = strings.Repeat("가나다 ", 40)
			r.Results[0].Column = "node a-very-long-server-name.js"
			for _, write := range []func(io.Writer, Report, Style) error{Text, Matrix} {
				var out bytes.Buffer
				if err := write(&out, r, Style{Width: width}); err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(out.String()) {
					if got := textWidth(strings.TrimSuffix(line, "\n")); got > width {
						t.Errorf("a line of %d columns, with %d asked for: %s", got, width, line)
					}
				}
			}
		}
	}
}

func TestTextWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "안녕": 4, "a가b": 4, "é": 1, "e\u0301": 1, "한": 2, "ｆｕｌｌ": 8, "😀": 2, "✓": 1,
	} {
		if got := textWidth(text); got != want {
			t.Errorf("%q: %d columns, want %d", text, got, want)
		}
	}
	if got := Clip("안녕하세요", 6); got != "안녕…" || textWidth(got) > 6 {
		t.Errorf("clipped to %q", got)
	}
	if got := Wrap("안녕하세요", 4); len(got) != 3 || strings.Join(got, "") != "안녕하세요" {
		t.Errorf("wrapped to %q", got)
	}
}

func TestAround(t *testing.T) {
	for _, c := range []struct{ total, index, n, from, to int }{
		{100, 50, 10, 45, 55}, {100, 0, 10, 0, 10}, {100, 99, 10, 90, 100}, {4, 2, 10, 0, 4}, {100, -1, 10, 90, 100}, {0, -1, 10, 0, 0},
	} {
		if from, to := around(c.total, c.index, c.n); from != c.from || to != c.to {
			t.Errorf("around(%d, %d, %d) is %d to %d, want %d to %d", c.total, c.index, c.n, from, to, c.from, c.to)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	for name, write := range writers {
		if err := write(brokenPipe{}, sample()); !errors.Is(err, errPipe) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

var errPipe = errors.New("the pipe is broken")

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", 1234 * time.Microsecond: "1ms", 8210 * time.Millisecond: "8.21s", 61400 * time.Millisecond: "1m1s",
	} {
		if got := took(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// What a sweep that ended early has covered is the same in every output, also after a merge.
func TestShareOfASweep(t *testing.T) {
	r := Report{Results: []Result{{
		ID: "single:story", Tally: check.Tally{Runs: 41}, Points: 40, StoodFor: 90, AllPoints: 2400, Verdict: check.Verdict{Outcome: check.Pass},
	}}}
	var document bytes.Buffer
	if err := JSON(&document, r); err != nil {
		t.Fatal(err)
	}
	var merged Merged
	if err := merged.Add(document.Bytes()); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Report{"first": r, "merged": merged.Report()} {
		var out strings.Builder
		if err := Text(&out, r, Style{}); err != nil {
			t.Fatal(err)
		}
		if want := "40 runs for 90 of 2400 points"; !strings.Contains(out.String(), want) {
			t.Errorf("%s:\n%s\nlacks %q", name, out.String(), want)
		}
	}
}

// A run whose fault never fired shows nothing, so a sweep reports how many there were.
func TestTextUnfired(t *testing.T) {
	r := Report{Results: []Result{{
		ID: "single:story", Tally: check.Tally{Runs: 12, Unfired: 2}, Points: 10, Verdict: check.Verdict{Outcome: check.Pass},
	}}}
	var out strings.Builder
	if err := Text(&out, r, Style{}); err != nil {
		t.Fatal(err)
	}
	if want := "10 points, 2 more whose fault never fired"; !strings.Contains(out.String(), want) {
		t.Errorf("%s\nlacks %q", out.String(), want)
	}
	// Runs include that of the unbroken story.
	cut := Result{ID: "single:story", Tally: check.Tally{Runs: 100}, Points: 99, StoodFor: 99, AllPoints: 100}
	if got := tail(cut); got != "99 of 100 points" {
		t.Errorf("a sweep that left one point out is %q", got)
	}
	cut.Unfired, cut.Runs = 1, 101
	if got := tail(cut); got != "99 points, 1 more whose fault never fired" {
		t.Errorf("a sweep with a fault that never fired is %q", got)
	}
}
