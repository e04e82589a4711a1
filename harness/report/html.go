//go:build !js

package report

import (
	"bytes"
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
// becomes markup.
var pageTemplate = template.Must(template.New("report").Parse(pageSource))

// The data of the template. Its fields are text that is safe to show.
type (
	page struct {
		Style                                 template.CSS
		Headline, Outcome, Began, Took, Lab   string
		Client                                string
		Level, Target, Seed, Next, NextPage   string
		Tallies                               []tally
		Columns                               []string
		Rows                                  []pageRow
		Legend                                []legendEntry
		Failed, Inconclusive, Others, Skipped []pageResult
		Unexpected                            []pageUnexpected
		Key                                   []keyEntry
		NotDrawn                              int
	}
	tally struct {
		Outcome, Word string
		N             int
	}
	pageRow struct {
		Number    int
		ID, Title string
		Cells     []pageCell
		// These are set only in a report on a single target.
		Runs, Faults, Took, Harm string
	}
	pageCell struct {
		Text, Class, Says, Anchor string
	}
	legendEntry struct{ Sign, Means string }
	keyEntry    struct {
		Drawing template.HTML
		Means   string
	}
	pageUnexpected struct{ Label, Expected, Observed, Anchor string }
	pageResult     struct {
		Anchor, ID, Column, Title, Outcome string
		Facts                              string
		Rule, Sentence, Message, Where     string
		Expected, Observed                 string
		Promised                           bool
		Also                               []string
		Blame, Reason, Unsaved, Replay     string
		Artifacts                          []string
		Overview, Detail                   template.HTML
		LeftOut                            string
		Events                             []pageEvent
		EventsRange                        string
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
	data, err := newPage(r)
	if err != nil {
		return err
	}
	if err := pageTemplate.Execute(w, data); err != nil {
		return fmt.Errorf("writing the HTML report: %w", err)
	}
	return nil
}

func newPage(r Report) (page, error) {
	p := page{
		Style:    template.CSS(pageStyle + TimelineStyle),
		Headline: r.headline(), Outcome: string(r.Outcome()), Took: took(r.Took),
		Target: orNone(r.Target), Level: orNone(string(r.Level)), Lab: orNone(r.Lab),
		Client: Visible(r.Client),
		Seed:   strconv.FormatUint(r.Seed, 10), Next: Visible(r.Next), NextPage: r.NextPage,
		Key: drawingKey(),
	}
	if !r.Began.IsZero() {
		p.Began = r.Began.UTC().Format("2 January 2006, 15:04 UTC")
	}
	pass, fail, inconclusive, unsupported := r.Summary()
	p.Tallies = []tally{
		{"pass", "passed", pass}, {"fail", "failed", fail},
		{"inconclusive", "inconclusive", inconclusive}, {"unsupported", "unsupported", unsupported},
	}
	for _, name := range r.columns() {
		p.Columns = append(p.Columns, Visible(name))
	}
	anchors := r.anchors()
	p.Rows = r.pageRows(anchors)
	p.Legend = []legendEntry{
		{passMark, "exactly once"}, {"L", "lost"}, {"D", "duplicated"}, {"R", "reordered"},
		{"X", "another rule broken"}, {shouldMark, "seen, and not promised at this level"}, {unsupportedMark, "does not apply"},
		{inconclusiveMark, "inconclusive"}, {notRunMark, "not run"}, {"!", "not as expected"},
	}
	p.addUnexpected(r, anchors)
	return p, p.addResults(r, anchors)
}

// addUnexpected lists the results that differ from their expectation.
func (p *page) addUnexpected(r Report, anchors map[*Result]string) {
	for i := range r.Results {
		result := &r.Results[i]
		if result.Expected != "" && !result.AsExpected() {
			p.Unexpected = append(p.Unexpected, pageUnexpected{
				r.label(*result), result.expectedWords(), result.observedWords(), anchors[result],
			})
		}
	}
}

// addResults fills in the sections, failures first, because they should get the drawings if
// there are more results than the page has room for.
func (p *page) addResults(r Report, anchors map[*Result]string) error {
	drawn := 0
	for _, section := range []struct {
		outcome check.Outcome
		into    *[]pageResult
	}{
		{check.Fail, &p.Failed}, {check.Inconclusive, &p.Inconclusive},
		{check.Pass, &p.Others}, {check.Unsupported, &p.Skipped},
	} {
		for i := range r.Results {
			result := &r.Results[i]
			if result.Outcome() != section.outcome {
				continue
			}
			shown := newPageResult(r, *result, anchors[result])
			switch {
			case len(result.Events) == 0:
			case drawn == timelinesInPage:
				p.NotDrawn++
			default:
				drawn++
				if err := shown.draw(*result); err != nil {
					return err
				}
			}
			*section.into = append(*section.into, shown)
		}
	}
	return nil
}

// anchors gives each result its anchor in the page. The anchors are numbers, because IDs come
// from outside and might not be valid or unique.
func (r Report) anchors() map[*Result]string {
	anchors := map[*Result]string{}
	for i := range r.Results {
		anchors[&r.Results[i]] = "result-" + strconv.Itoa(i+1)
	}
	return anchors
}

func (r Report) pageRows(anchors map[*Result]string) []pageRow {
	var rows []pageRow
	single := len(r.columns()) == 1
	for _, row := range r.rows() {
		shown := pageRow{Number: row.number, ID: Visible(row.id), Title: Visible(row.title)}
		for _, result := range row.cells {
			if result == nil {
				shown.Cells = append(shown.Cells, pageCell{Text: notRunMark, Class: "not-run", Says: "not run"})
				continue
			}
			shown.Cells = append(shown.Cells, newPageCell(*result, anchors[result]))
			if single {
				shown.Runs, shown.Faults = strconv.Itoa(result.Runs), strconv.Itoa(result.FaultsFired)
				shown.Took, shown.Harm = took(result.Took), result.harm()
				if result.Outcome() == check.Unsupported {
					shown.Runs, shown.Faults, shown.Took = "", "", ""
				}
			}
		}
		rows = append(rows, shown)
	}
	return rows
}

func newPageCell(result Result, anchor string) pageCell {
	cell := pageCell{
		Text: result.cell(), Anchor: anchor,
		Says: fmt.Sprintf("%s; expected %s", result.observedWords(), result.expectedWords()),
	}
	switch {
	case result.Outcome() == check.Inconclusive:
		cell.Class = "inconclusive"
	case !result.AsExpected():
		cell.Class = "fail"
	case result.Outcome() == check.Unsupported:
		cell.Class = "unsupported"
	case result.isExactlyOnce() && !result.isShould():
		cell.Class = "pass"
	default:
		cell.Class = "known"
	}
	return cell
}

func newPageResult(r Report, result Result, anchor string) pageResult {
	outcome := result.Outcome()
	shown := pageResult{
		Anchor: anchor, ID: Visible(result.ID), Title: Visible(result.Title),
		Outcome: string(outcome),
		Blame:   strings.TrimSpace(result.blame()), Reason: result.reason(), Unsaved: Visible(result.Unsaved), Replay: Visible(result.Replay),
		Facts: join(", ", words.Count(result.Runs, "run"), words.Count(result.FaultsFired, "fault")+" fired", took(result.Took)),
	}
	if harm := result.harm(); harm != "" {
		shown.Facts += ": " + harm
	}
	if outcome == check.Pass && result.Met && !result.isExactlyOnce() {
		shown.Facts += ", as expected"
	} else if result.isShould() && result.Beyond.Outcome == check.Fail {
		shown.Facts += ", a failure from level " + string(result.Beyond.Level) + " on"
	}
	if len(r.columns()) > 1 {
		shown.Column = Visible(result.Column)
	}
	for _, path := range result.Artifacts {
		shown.Artifacts = append(shown.Artifacts, Visible(path))
	}
	if f := result.offence(); f != nil {
		shown.Rule, shown.Sentence = string(f.Rule), f.Rule.Sentence()
		shown.Expected, shown.Observed = Visible(f.Expected), Visible(f.Observed)
		shown.Where, shown.Promised = place(*f), f.Must
		if f.Message != "" {
			shown.Message = quoted(f.Message, 400)
		}
		shown.Also = otherCounts(result, f.Rule)
	}
	return shown
}

func (p *pageResult) draw(result Result) error {
	f := result.offence()
	t := Timeline{
		Events: result.Events, Offence: f, Bare: true,
		Name: fmt.Sprintf("%s: clients, server and messages over time", p.ID),
	}
	var detail, overview bytes.Buffer
	events, clients, err := t.Detail(&detail)
	if err != nil {
		return err
	}
	// This conversion is safe: every value in the SVG went through escaped, which leaves no
	// markup in it.
	p.Detail = template.HTML(detail.String())
	if events > 0 {
		if err := t.Overview(&overview); err != nil {
			return err
		}
		p.Overview = template.HTML(overview.String())
		p.LeftOut = fmt.Sprintf("Drawn in detail: %d of %d events, those that matter most here. ",
			len(result.Events)-events, len(result.Events))
	}
	if clients > 0 {
		p.LeftOut += fmt.Sprintf("%s without a lane of their own. ", words.Count(clients, "more client"))
	}
	index := -1
	if f != nil {
		index = f.Event
	}
	p.table(result.Events, f, index)
	return nil
}

func (p *pageResult) table(events []history.Event, f *check.Finding, index int) {
	from, to := around(len(events), index, eventsInTable)
	if f == nil {
		from, to = 0, min(len(events), eventsInTable)
	}
	concerns := Timeline{Offence: f}.concerns()
	for i := from; i < to; i++ {
		e := events[i]
		who, what := describe(e, 120)
		p.Events = append(p.Events, pageEvent{
			Number: i + 1, At: clock(e.At), Who: who, What: what,
			Offence: i == index, Strong: concerns(e),
		})
	}
	p.EventsRange = fmt.Sprintf("Events %d to %d of %d", from+1, to, len(events))
	if left := len(events) - (to - from); left > 0 {
		p.EventsRange += fmt.Sprintf("; %d before and %d after are left out here", from, len(events)-to)
	}
}

// drawingKey explains the signs of the drawings with the drawings' own shapes. It leaves out
// the signs that appear only in drawings with frames, which a report never has.
func drawingKey() (list []keyEntry) {
	for _, s := range legendSigns {
		if s.traffic {
			continue
		}
		var st stage
		st.signs = map[string]bool{}
		s.draw(&st)
		list = append(list, keyEntry{template.HTML(`<svg class="timeline scene" width="34" height="24" aria-hidden="true">` +
			st.body.String() + `</svg>`), s.word(English)})
	}
	return list
}
