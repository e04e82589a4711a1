//go:build !js

package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/internal/words"
)

// Limits that keep the file small enough for a browser.
const (
	timelinesInPage = 60
	eventsInTable   = 60
)

//go:embed report.html.tmpl
var pageSource string

//go:embed report.css
var pageStyle string

// html/template escapes each value by its context, so that text from a server or a page never
// becomes markup. What comes from outside passes visible or given first, as in every output.
var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"visible": Visible, "given": func(v any) string { return orNone(fmt.Sprint(v)) }, "took": took,
	"quoted": func(message string) string { return quoted(message, 400) }, "place": place,
	"cell": cellText, "class": cellClass, "harm": Result.harm,
	"expected": Result.expectedWords, "observed": Result.observedWords,
}).Parse(pageSource))

// The data of the template.
type (
	page struct {
		Report
		Style                                 template.CSS
		Headline                              string
		Tallies                               []tally
		Columns                               []string
		Rows                                  []matrixRow
		Signs                                 [][2]string
		Failed, Inconclusive, Others, Skipped []pageResult
		Unmet                                 []*Result
		Anchors                               map[*Result]string
		Key                                   []keyEntry
		NotDrawn                              int
	}
	tally struct {
		Outcome, Word string
		N             int
	}
	keyEntry struct {
		Drawing template.HTML
		Means   string
	}
	pageResult struct {
		Result
		Anchor, Column, Facts, Blame, Reason string
		Offence                              *check.Finding
		Also                                 []string
		Overview, Detail                     template.HTML
		LeftOut                              string
		Table                                []pageEvent
		Range                                string
	}
	pageEvent struct {
		Number          int
		At, Who, What   string
		Offence, Strong bool
	}
)

// HTML writes the report as one self-contained file: it loads no script, font or image, so it
// can be attached to a CI run and opened offline. A result with Events gets a drawing, and a
// table of the events around the offence.
func HTML(w io.Writer, r Report) error {
	if err := pageTemplate.Execute(w, newPage(r)); err != nil {
		return fmt.Errorf("writing the HTML report: %w", err)
	}
	return nil
}

func newPage(r Report) page {
	pass, fail, inconclusive, unsupported := r.Summary()
	p := page{
		Report: r, Style: template.CSS(pageStyle + TimelineStyle), Headline: r.headline(),
		Tallies: []tally{
			{"pass", "passed", pass}, {"fail", "failed", fail},
			{"inconclusive", "inconclusive", inconclusive}, {"unsupported", "unsupported", unsupported},
		},
		Columns: r.columns(), Rows: r.rows(), Anchors: map[*Result]string{}, Key: drawingKey(),
		Signs: [][2]string{
			{passMark, "exactly once"}, {"L", "lost"}, {"D", "duplicated"}, {"R", "reordered"},
			{"X", "another rule broken"}, {shouldMark, "seen, and not promised at this level"}, {unsupportedMark, "does not apply"},
			{inconclusiveMark, "inconclusive"}, {notRunMark, "not run"}, {"!", "not as expected"},
		},
	}
	for i := range r.Results {
		result := &r.Results[i]
		// The anchors are numbers, because IDs come from outside and might not be valid or unique.
		p.Anchors[result] = "result-" + strconv.Itoa(i+1)
		if result.Expected != "" && !result.AsExpected() {
			p.Unmet = append(p.Unmet, result)
		}
	}
	p.addResults()
	return p
}

// Label names a result of the page.
func (p page) Label(result *Result) string { return p.label(*result) }

// addResults fills in the sections, failures first, because they should get the drawings if
// there are more results than the page has room for.
func (p *page) addResults() {
	drawn := 0
	for _, section := range []struct {
		outcome check.Outcome
		into    *[]pageResult
	}{
		{check.Fail, &p.Failed}, {check.Inconclusive, &p.Inconclusive},
		{check.Pass, &p.Others}, {check.Unsupported, &p.Skipped},
	} {
		for i := range p.Results {
			result := &p.Results[i]
			if result.Outcome() != section.outcome {
				continue
			}
			shown := p.newResult(result)
			switch {
			case len(result.Events) == 0:
			case drawn == timelinesInPage:
				p.NotDrawn++
			default:
				drawn++
				shown.draw()
			}
			*section.into = append(*section.into, shown)
		}
	}
}

// cellClass is the style of a cell of the matrix.
func cellClass(result *Result) string {
	switch {
	case result == nil:
		return "not-run"
	case result.Outcome() == check.Inconclusive:
		return "inconclusive"
	case !result.AsExpected():
		return "fail"
	case result.Outcome() == check.Unsupported:
		return "unsupported"
	case result.isExactlyOnce() && !result.isShould():
		return "pass"
	}
	return "known"
}

func (p *page) newResult(result *Result) pageResult {
	shown := pageResult{
		Result: *result, Anchor: p.Anchors[result], Offence: result.offence(),
		Blame: strings.TrimSpace(result.blame()), Reason: result.reason(),
		Facts: join(", ", words.Count(result.Runs, "run"), words.Count(result.FaultsFired, "fault")+" fired", took(result.Took)),
	}
	if harm := result.harm(); harm != "" {
		shown.Facts += ": " + harm
	}
	if result.Outcome() == check.Pass && result.Met && !result.isExactlyOnce() {
		shown.Facts += ", as expected"
	} else if result.isShould() && result.Beyond.Outcome == check.Fail {
		shown.Facts += ", a failure from level " + string(result.Beyond.Level) + " on"
	}
	if len(p.Columns) > 1 {
		shown.Column = result.Column
	}
	if shown.Offence != nil {
		shown.Also = otherCounts(*result, shown.Offence.Rule)
	}
	return shown
}

func (p *pageResult) draw() {
	t := timeline{p.Events, p.Offence, fmt.Sprintf("%s: clients, server and messages over time", Visible(p.ID))}
	// These conversions are safe: every value in the SVG went through escaped, which leaves no
	// markup in it.
	detail, events, clients := t.detail()
	p.Detail = template.HTML(detail)
	if events > 0 {
		p.Overview = template.HTML(t.overview())
		p.LeftOut = fmt.Sprintf("Drawn in detail: %d of %d events, those that matter most here. ",
			len(p.Events)-events, len(p.Events))
	}
	if clients > 0 {
		p.LeftOut += fmt.Sprintf("%s without a lane of their own. ", words.Count(clients, "more client"))
	}
	p.listEvents(t.concerns())
}

func (p *pageResult) listEvents(concerns func(history.Event) bool) {
	total := len(p.Events)
	index, from, to := -1, 0, min(total, eventsInTable)
	if p.Offence != nil {
		index = p.Offence.Event
		from, to = around(total, index, eventsInTable)
	}
	for i := from; i < to; i++ {
		e := p.Events[i]
		who, what := describe(e, 120)
		p.Table = append(p.Table, pageEvent{
			Number: i + 1, At: clock(e.At), Who: who, What: what,
			Offence: i == index, Strong: concerns(e),
		})
	}
	p.Range = fmt.Sprintf("Events %d to %d of %d", from+1, to, total)
	if left := total - (to - from); left > 0 {
		p.Range += fmt.Sprintf("; %d before and %d after are left out here", from, total-to)
	}
}

// drawingKey explains the signs of the drawings with the drawings' own shapes. It leaves out
// the signs that appear only in drawings with frames, which a report never has.
func drawingKey() (list []keyEntry) {
	for _, s := range legendSigns {
		if s.traffic {
			continue
		}
		var c canvas
		s.draw(&c)
		list = append(list, keyEntry{template.HTML(`<svg class="timeline scene" width="34" height="24" aria-hidden="true">` +
			c.body.String() + `</svg>`), s.word(English)})
	}
	return list
}
