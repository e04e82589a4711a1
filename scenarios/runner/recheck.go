package runner

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/report"
	"redial/scenarios/catalogue"
)

// Recheck judges a history again: a saved failure's, or one alone as JSON lines, either
// gzipped or not. An empty level means what the file says, or server-delivery where it says
// nothing. The verdict of a saved failure comes with it; that of a history alone has no
// outcome.
//
// The file is read once, and again when it failed, and is never held: the memory is that
// of check.Checker, which has to remember each text, or it would not know a second one, or
// one that nobody sent. Ten million events take half a minute: 70 MB for 100,000 messages on
// 100 pages, and 1.7 GB for five million messages that are each shown once.
func Recheck(path string, level contract.Level) (report.Report, check.Verdict, error) {
	began := time.Now()
	r := recording{path: path, level: level}
	checker := check.NewChecker()
	for e, err := range r.events() {
		if err != nil {
			return report.Report{}, check.Verdict{}, fmt.Errorf("%s: %w", path, err)
		}
		checker.Add(e)
	}
	v := checker.Verdict()
	result := report.Result{ID: cmp.Or(r.saved.Name, filepath.Base(path)), Title: "a history on its own", Verdict: v}
	if scenario, err := catalogue.Find([]string{cmp.Or(r.saved.Name, r.scenario)}); err == nil {
		result.Title = scenario[0].Title
	}
	if len(v.Findings) > 0 {
		result.Verdict.Locate(r.again)
		result.Abridge(r.again)
	}
	result.Tally = r.saved.tally(v)
	result.Took = time.Since(began)
	if r.saved.Target != "" {
		result.Replay = replayOf(path)
	}
	return report.Report{
		Target: cmp.Or(r.saved.Target, path), Level: v.Level, Lab: r.saved.Lab, Seed: r.saved.Plan.Seed,
		Results: []report.Result{result}, Began: began, Took: result.Took,
	}, r.saved.Verdict, r.err
}

// A recording is the file of a history, alone or in a saved failure.
type recording struct {
	path  string
	level contract.Level // at which it is judged; if empty, its own

	saved    Saved  // the failure without its events
	scenario string // the scenario of its plan, if it has one
	err      error  // an error of again
}

// again yields the events a second time. An error ends them and is kept in r.err.
func (r *recording) again(yield func(history.Event) bool) {
	for e, err := range r.events() {
		if err != nil {
			r.err = fmt.Errorf("%s, read again: %w", r.path, err)
			return
		}
		if !yield(e) {
			return
		}
	}
}

// events yields the events of the file, at the requested level. A history that does not begin
// with "began" was written by hand, so it may lack "began", "log-read" and "ended", which are
// added. A history that has "began" and not "ended" was cut short, which the judge reports.
func (r *recording) events() iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		var last history.Event
		var byHand, rows, ended bool
		count := 0
		put := func(e history.Event) bool { e.At = last.At; return yield(e, nil) }
		closeLog := func() bool { return !rows || put(history.Event{Kind: history.LogRead}) }
		for e, err := range r.read() {
			if err != nil {
				yield(e, err)
				return
			}
			if count++; count == 1 {
				byHand = e.Kind != history.Began
				if byHand && !put(history.Event{Kind: history.Began, Level: cmp.Or(r.level, contract.ServerDelivery)}) {
					return
				}
			}
			switch e.Kind {
			case history.Began:
				e = r.begin(e)
			case history.Stored:
				rows = true
			case history.LogRead:
				rows = false
			case history.Ended:
				if byHand && !closeLog() {
					return
				}
				ended = true
			}
			last = e
			if !yield(e, nil) {
				return
			}
		}
		switch {
		case count == 0:
			yield(last, errors.New("there is no event in it"))
		case byHand && !ended && closeLog():
			put(history.Event{Kind: history.Ended})
		}
	}
}

// begin sets the requested level in the first event. The run of a lab proves nothing at a
// level with a log if that was not read, so KeepsLog is set, too.
func (r *recording) begin(e history.Event) history.Event {
	if e.Plan != nil {
		r.scenario = e.Plan.Scenario
	}
	if r.level != "" && r.level != e.Level {
		e.Level = r.level
		e.KeepsLog = e.Plan != nil && r.level.AtLeast(contract.ServerDelivery)
	}
	e.Level = cmp.Or(e.Level, contract.ServerDelivery)
	return e
}

var gzipped = []byte{0x1f, 0x8b}

// open opens a file, gzipped or not.
func open(path string) (text *bufio.Reader, file *os.File, err error) {
	if file, err = os.Open(path); err != nil {
		return nil, nil, err
	}
	text = bufio.NewReaderSize(file, 64<<10)
	if start, _ := text.Peek(len(gzipped)); bytes.Equal(start, gzipped) {
		unzipped, err := gzip.NewReader(text)
		if err != nil {
			return nil, nil, errors.Join(err, file.Close())
		}
		text = bufio.NewReaderSize(unzipped, 64<<10)
	}
	return text, file, nil
}

// read yields the events that the file has.
func (r *recording) read() iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		text, file, err := open(r.path)
		if err != nil {
			yield(history.Event{}, err)
			return
		}
		defer file.Close()
		events := history.Each(text)
		if isSaved(text) {
			events = r.readSaved(text)
		}
		for e, err := range events {
			if !yield(e, err) {
				return
			}
		}
	}
}

// isSaved distinguishes a saved failure from a history by its first field that only one of
// them has.
func isSaved(text *bufio.Reader) bool {
	start, _ := text.Peek(4 << 10)
	d := json.NewDecoder(bytes.NewReader(start))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return false
		}
		switch key {
		case "target", "command", "url", "lab", "name", "verdict", "history", "output":
			return true
		case "level", "plan": // an event may have these, too
		default:
			return false
		}
		var skipped json.RawMessage
		if d.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}

// readSaved yields the history of a saved failure and keeps the rest.
func (r *recording) readSaved(text io.Reader) iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		d := json.NewDecoder(text)
		if _, err := d.Token(); err != nil {
			yield(history.Event{}, err)
			return
		}
		fields := map[string]any{
			"target": &r.saved.Target, "level": &r.saved.Level, "lab": &r.saved.Lab, "name": &r.saved.Name,
			"verdict": &r.saved.Verdict, "plan": &r.saved.Plan,
		}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				yield(history.Event{}, err)
				return
			}
			name, _ := key.(string)
			if name == "history" {
				for e, err := range history.EachOf(d) {
					if !yield(e, err) || err != nil {
						return
					}
				}
				continue
			}
			into, known := fields[name]
			if !known {
				into = new(json.RawMessage)
			}
			if err := d.Decode(into); err != nil {
				yield(history.Event{}, fmt.Errorf("field %q: %w", name, err))
				return
			}
		}
		if _, err := d.Token(); err != nil {
			yield(history.Event{}, fmt.Errorf("the file was cut short: %w", err))
		}
	}
}
