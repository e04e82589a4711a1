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
	suites := junitSuites{Name: "redial"}
	for _, column := range r.columns() {
		suite := junitSuite{Name: r.named()}
		if column != "" && column != r.Target {
			suite.Name += ", " + Visible(column)
		}
		for _, result := range r.Results {
			if result.Column == column {
				suite.Cases = append(suite.Cases, junitOf(r, result))
			}
		}
		suites.Suites = append(suites.Suites, suite)
	}
	if len(r.Results) == 0 {
		suites.Suites = []junitSuite{{Name: orNone(r.Target), Cases: []junitCase{{
			Name: "selection", Classname: "redial", Time: "0.000",
			Error: &junitProblem{Message: r.headline(), Type: string(check.Inconclusive)},
		}}}}
	}
	suites.count(r)
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

func (s *junitSuites) count(r Report) {
	s.Time = junitTime(r.Took)
	for i := range s.Suites {
		suite := &s.Suites[i]
		var total time.Duration
		for _, c := range suite.Cases {
			suite.Tests++
			switch {
			case c.Failure != nil:
				suite.Failures++
			case c.Error != nil:
				suite.Errors++
			case c.Skipped != nil:
				suite.Skipped++
			}
			if d, err := time.ParseDuration(c.Time + "s"); err == nil {
				total += d
			}
		}
		suite.Time = junitTime(total)
		if !r.Began.IsZero() {
			suite.Timestamp = r.Began.UTC().Format("2006-01-02T15:04:05")
		}
		s.Tests += suite.Tests
		s.Failures += suite.Failures
		s.Errors += suite.Errors
		s.Skipped += suite.Skipped
	}
}

func junitTime(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
