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
	result.Tally = tallyOf(v)
	result.Took = time.Since(began)
	if r.saved.Target != "" {
		result.Replay = "go run ./scenarios/cmd/redial replay " + path
	}
	return report.Report{
		Target: cmp.Or(r.saved.Target, path), Level: v.Level, Lab: r.saved.Lab, Seed: r.saved.Plan.Seed,
		Results: []report.Result{result}, Began: began, Took: result.Took,
	}, r.saved.Verdict, r.err
}

// A recording is a file with a history in it.
type recording struct {
	path  string
	level contract.Level // to judge it at; empty: its own

	saved    Saved  // what was read of it but the events
	scenario string // that of its plan, if it has one
	err      error  // of again
}

// again yields the events once more. An error ends them, and is kept.
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

// events yields the events of the file, at the level that was asked for. A history that
// does not begin with "began" was written by a person: it is given a beginning, and the
// ends that it lacks. One that begins so and does not end was cut short, which is for the
// judge to say.
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

// begin has the history judged at the level that was asked for. At a level that is about
// the log, the run of a lab shows nothing without one.
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

// read yields the events that the file has.
func (r *recording) read() iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		file, err := os.Open(r.path)
		if err != nil {
			yield(history.Event{}, err)
			return
		}
		defer file.Close()
		text := bufio.NewReaderSize(file, 64<<10)
		if start, _ := text.Peek(len(gzipped)); bytes.Equal(start, gzipped) {
			unzipped, err := gzip.NewReader(text)
			if err != nil {
				yield(history.Event{}, err)
				return
			}
			text = bufio.NewReaderSize(unzipped, 64<<10)
		}
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

// isSaved tells a saved failure from a history alone by the beginning of its text: it is
// one value over many lines, and its first fields are none of an event.
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
		case "level", "plan": // both have them
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
