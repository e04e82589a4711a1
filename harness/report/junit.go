package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"redial/harness/check"
)

// These types cover only the part of the JUnit schema that GitHub actions and GitLab read.
type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitCounts
	Suites []junitSuite `xml:"testsuite"`
}

type junitCounts struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"`
}

type junitSuite struct {
	Name      string `xml:"name,attr"`
	Timestamp string `xml:"timestamp,attr,omitempty"`
	junitCounts
	Cases []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	Classname string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	Failure   *junitProblem `xml:"failure"`
	Error     *junitProblem `xml:"error"`
	Skipped   *junitSkipped `xml:"skipped"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",cdata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// JUnit writes the report as JUnit XML: a failed scenario is a failure, an inconclusive one is
// an error, and an unsupported one is skipped. A report without results contains one error, so
// that no CI system takes it for a pass.
func JUnit(w io.Writer, r Report) error {
	suites := junitSuites{Name: "redial", junitCounts: counted(r.Results, r.Took)}
	began := ""
	if !r.Began.IsZero() {
		began = r.Began.UTC().Format("2006-01-02T15:04:05")
	}
	for _, column := range r.columns() {
		suite := junitSuite{Name: r.named(), Timestamp: began}
		if column != "" && column != r.Target {
			suite.Name += ", " + Visible(column)
		}
		results := r.those(func(one Result) bool { return one.Column == column })
		var took time.Duration
		for _, result := range results {
			suite.Cases = append(suite.Cases, junitOf(r, result))
			took += result.Took.Round(time.Millisecond)
		}
		suite.junitCounts = counted(results, took)
		suites.Suites = append(suites.Suites, suite)
	}
	if len(r.Results) == 0 {
		suites.Tests, suites.Errors = 1, 1
		none := junitCase{
			Name: "selection", Classname: "redial", Time: "0.000",
			Error: &junitProblem{Message: r.headline(), Type: string(check.Inconclusive)},
		}
		counts := junitCounts{Tests: 1, Errors: 1, Time: none.Time}
		suites.Suites = []junitSuite{{orNone(r.Target), began, counts, []junitCase{none}}}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suites); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitOf(r Report, result Result) junitCase {
	c := junitCase{
		Name:      Visible(result.ID),
		Classname: "redial." + Visible(cmp.Or(result.Column, r.Target)),
		Time:      junitTime(result.Took),
	}
	if result.Title != "" {
		c.Name += ": " + Visible(result.Title)
	}
	switch result.Outcome() {
	case check.Fail:
		problem := junitProblem{Message: result.Reason(), Type: "fail"}
		if f := result.offence(); f != nil {
			problem.Message = fmt.Sprintf("%s: %s", f.Rule, f.Rule.Sentence())
			problem.Type = string(f.Rule)
		}
		problem.Text = "\n" + strings.Join(explain(result, Style{}), "\n") + "\n"
		c.Failure = &problem
	case check.Inconclusive:
		c.Error = &junitProblem{Message: result.Reason(), Type: string(check.Inconclusive)}
		if result.Replay != "" {
			c.Error.Text = "replay: " + Visible(result.Replay)
		}
	case check.Unsupported:
		c.Skipped = &junitSkipped{Message: result.Reason()}
	}
	return c
}

func counted(results []Result, took time.Duration) junitCounts {
	_, fail, inconclusive, unsupported := Report{Results: results}.Summary()
	return junitCounts{len(results), fail, inconclusive, unsupported, junitTime(took)}
}

func junitTime(d time.Duration) string {
	return fmt.Sprintf("%.3f", d.Round(time.Millisecond).Seconds())
}
