package check

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// TestAgreesWithReference compares the checker with the reference on random histories.
func TestAgreesWithReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyHistory(t)
		fast, plain := Judge(events), judgeByReference(events)
		maps.DeleteFunc(plain.counts, func(_ contract.RuleID, n int) bool { return n == 0 })
		if !maps.Equal(fast.Counts, plain.counts) || fast.Lost != plain.lost || fast.Duplicated != plain.copies || fast.Reordered != plain.moved {
			t.Fatalf("the checkers do not agree\nfast  %v, lost %d, duplicated %d, reordered %d\nplain %v, lost %d, duplicated %d, reordered %d\n%s%s",
				fast.Counts, fast.Lost, fast.Duplicated, fast.Reordered,
				plain.counts, plain.lost, plain.copies, plain.moved, listing(events), verdictText(fast))
		}
		for _, f := range fast.Findings {
			if f.Event < 0 && f.Anomaly != Late {
				t.Fatalf("no event for %s\n%s", f, listing(events))
			}
			if f.Anomaly == Phantom || f.Anomaly == Reordered || f.Anomaly == Duplicated {
				if e := events[f.Event]; e.Message != f.Message {
					t.Fatalf("event %d does not show %s\n%s", f.Event, f, listing(events))
				}
			}
		}
	})
}

// anyHistory draws a short history. Its pages mostly show the next message in order, so that
// single anomalies stand within long correct sequences.
func anyHistory(t *rapid.T) []history.Event {
	d := drawing{t: t, views: map[string]int{}, next: map[string]int{}}
	p := &plan.Plan{Clients: []plan.Client{{Name: "alice"}, {Name: "bob"}, {Name: "carol"}}}
	for i := range p.Clients {
		p.Faults = append(p.Faults, plan.Fault{ID: p.Clients[i].Name, Client: p.Clients[i].Name, Kind: plan.Outage})
		if i > 0 && rapid.Bool().Draw(t, "is a tab") {
			p.Clients[i].TabOf = p.Clients[rapid.IntRange(0, i-1).Draw(t, "of")].Name
		}
	}
	d.add(history.Event{Kind: history.Began, Level: rapid.SampledFrom(contract.Levels).Draw(t, "level"), Plan: p, NoEcho: rapid.IntRange(0, 2).Draw(t, "echo") == 0})
	for _, who := range []string{"alice", "bob", "carol"} {
		if rapid.IntRange(0, 3).Draw(t, "is there from the start") > 0 {
			d.views[who] = 1
			d.add(history.Event{Kind: history.Connected, Client: who, View: 1})
		}
	}
	steps := rapid.IntRange(0, 60).Draw(t, "steps")
	for range steps {
		d.step()
	}
	if rapid.Bool().Draw(t, "log") {
		d.log()
	}
	if rapid.IntRange(0, 9).Draw(t, "ends") > 0 {
		d.add(history.Event{Kind: history.Ended})
	}
	return d.events
}

type drawing struct {
	t      *rapid.T
	events []history.Event
	at     plan.Duration
	texts  []string
	views  map[string]int
	next   map[string]int
}

func (d *drawing) add(e history.Event) {
	d.at += plan.Duration(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 70 * time.Second}).Draw(d.t, "later"))
	e.At = d.at
	d.events = append(d.events, e)
}

func (d *drawing) step() {
	who := rapid.SampledFrom([]string{"alice", "bob", "carol"}).Draw(d.t, "who")
	if d.views[who] == 0 {
		d.views[who] = 1
	}
	e := history.Event{Client: who, View: d.views[who]}
	what := rapid.IntRange(0, 39).Draw(d.t, "what")
	if what >= 20 && what <= 35 && len(d.texts) == 0 {
		what = 15
	}
	switch {
	case what < 2:
		e.Kind = history.Opened
	case what < 6:
		e.Kind = history.Connected
		e.Recovered = rapid.Bool().Draw(d.t, "recovered")
	case what < 8:
		e.Kind = history.Disconnected
		e.Detail = rapid.SampledFrom([]string{"transport close", "io client disconnect"}).Draw(d.t, "reason")
	case what < 9:
		e.Kind = history.Closed
		d.views[who]++
		d.next[who] = 0
	case what < 10:
		kinds := []history.Kind{history.ServerStopped, history.ServerStarted, history.DataReplaced}
		e = history.Event{Kind: rapid.SampledFrom(kinds).Draw(d.t, "server")}
	case what < 12:
		e = history.Event{Kind: history.Barrier}
	case what < 17:
		e.Kind = history.Sent
		e.Message = fmt.Sprintf("m%d", len(d.texts))
		d.texts = append(d.texts, e.Message)
	case what < 18 && len(d.texts) == 0:
		e = history.Event{Kind: history.Found, Message: fmt.Sprintf("old%d", rapid.IntRange(0, 1).Draw(d.t, "old"))}
	case what < 20:
		e.Kind = rapid.SampledFrom([]history.Kind{history.Acknowledged, history.Acknowledged, history.Refused}).Draw(d.t, "answer")
		e.Message = d.text()
	case what == 36:
		e.Kind = rapid.SampledFrom([]history.Kind{history.Suspended, history.Resumed}).Draw(d.t, "page")
	case what == 37:
		e = history.Event{Kind: rapid.SampledFrom([]history.Kind{history.FaultFired, history.FaultHealed}).Draw(d.t, "link"), Fault: who}
	case what == 39:
		e.Kind, e.Message = history.Removed, d.text()
	case what == 38:
		e = history.Event{Kind: history.ServerStopped, Detail: "paused"}
	default:
		e.Kind = history.Shown
		e.Message = d.following(who)
		e.Offset = int64(rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(d.t, "offset"))
	}
	d.add(e)
}

// text draws a text: mostly one that was sent.
func (d *drawing) text() string {
	if len(d.texts) > 0 && rapid.IntRange(0, 9).Draw(d.t, "known") > 0 {
		return rapid.SampledFrom(d.texts).Draw(d.t, "text")
	}
	return rapid.SampledFrom([]string{"ghost", "spectre", "old0", "old1"}).Draw(d.t, "text")
}

func (d *drawing) following(who string) string {
	if n := d.next[who]; n < len(d.texts) && rapid.IntRange(0, 9).Draw(d.t, "in turn") > 2 {
		d.next[who]++
		return d.texts[n]
	}
	return d.text()
}

func (d *drawing) log() {
	for i, text := range d.texts {
		switch rapid.IntRange(0, 9).Draw(d.t, "stored") {
		case 0:
			continue
		case 1:
			text = d.text()
		case 2:
			d.add(history.Event{Kind: history.Stored, Message: text, Offset: int64(i)})
		}
		d.add(history.Event{Kind: history.Stored, Message: text, Offset: int64(i + 1)})
	}
	d.add(history.Event{Kind: history.LogRead})
}

// listing prints a history for a failure message, one event per line.
func listing(events []history.Event) string {
	out := ""
	for i, e := range events {
		out += fmt.Sprintf("%3d %-14s %s %d %q %d %s %s\n", i, e.Kind, e.Client, e.View, e.Message, e.Offset, e.Detail, e.Level)
	}
	return out
}
