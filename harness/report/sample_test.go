package report

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// Texts that a hostile or careless server might send.
const (
	korean   = "안녕하세요, 다시 연결됐어요"
	script   = `<script>alert("hi")</script>`
	controls = "bell\a, escape \x1b[31m, null \x00, bytes \xff\xfe, back \u202eward, ]]> and </details>"
)

var long = strings.Repeat("long message ", 23) + "x"

func at(ms int) plan.Duration { return plan.Duration(time.Duration(ms) * time.Millisecond) }

// halfOpenHistory is a short run in which bob does not receive a message.
func halfOpenHistory() []history.Event {
	return []history.Event{
		{At: at(0), Kind: history.Began, Level: contract.ServerDelivery},
		{At: at(1), Kind: history.ServerStarted, Detail: "127.0.0.1:3000"},
		{At: at(12), Kind: history.Opened, Client: "alice", View: 1},
		{At: at(14), Kind: history.Opened, Client: "bob", View: 1},
		{At: at(31), Kind: history.Connected, Client: "alice", View: 1},
		{At: at(36), Kind: history.Connected, Client: "bob", View: 1},
		{At: at(60), Kind: history.Sent, Client: "alice", View: 1, Message: "hello"},
		{At: at(64), Kind: history.Shown, Client: "alice", View: 1, Message: "hello", Offset: 1},
		{At: at(66), Kind: history.Shown, Client: "bob", View: 1, Message: "hello", Offset: 1},
		{At: at(90), Kind: history.FaultFired, Client: "bob", Fault: "f1", FaultKind: plan.HalfOpen, Detail: "connection 1, down, frame 5"},
		{At: at(91), Kind: history.Disconnected, Client: "bob", View: 1, Detail: "transport error"},
		{At: at(120), Kind: history.Sent, Client: "alice", View: 1, Message: korean},
		{At: at(123), Kind: history.Acknowledged, Client: "alice", View: 1, Message: korean},
		{At: at(124), Kind: history.Shown, Client: "alice", View: 1, Message: korean, Offset: 2},
		{At: at(700), Kind: history.Connected, Client: "bob", View: 1},
		{At: at(720), Kind: history.Sent, Client: "bob", View: 1, Message: script},
		{At: at(724), Kind: history.Shown, Client: "bob", View: 1, Message: script, Offset: 3},
		{At: at(726), Kind: history.Shown, Client: "alice", View: 1, Message: script, Offset: 3},
		{At: at(740), Kind: history.Sent, Client: "alice", View: 1, Message: controls},
		{At: at(744), Kind: history.Shown, Client: "alice", View: 1, Message: controls, Offset: 4},
		{At: at(746), Kind: history.Shown, Client: "bob", View: 1, Message: controls, Offset: 4},
		{At: at(750), Kind: history.Sent, Client: "alice", View: 1, Message: long},
		{At: at(754), Kind: history.Shown, Client: "alice", View: 1, Message: long, Offset: 5},
		{At: at(756), Kind: history.Shown, Client: "bob", View: 1, Message: long, Offset: 5},
		{At: at(45756), Kind: history.Barrier},
		{At: at(45760), Kind: history.Stored, Client: plan.Reader, Message: "hello", Offset: 1},
		{At: at(45761), Kind: history.Stored, Client: plan.Reader, Message: korean, Offset: 2},
		{At: at(45762), Kind: history.LogRead, Client: plan.Reader},
		{At: at(45800), Kind: history.Ended},
	}
}

// sample has one result of each outcome, on one target.
func sample() Report {
	return Report{
		Target: "node server.js", Level: contract.ServerDelivery, Seed: 18446744073709551615, Lab: "virtual",
		Began: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC), Took: 4210 * time.Millisecond,
		Results: []Result{
			{
				ID: "clean-drop", Title: "The connection drops after at least one message, and comes back.",
				Row: 1, Column: "step 7", Tally: check.Tally{Runs: 250, FaultsFired: 250, Took: 900 * time.Millisecond},
				Expected: "exactly once", Met: true,
				Verdict: check.Verdict{Outcome: check.Pass, Level: contract.ServerDelivery, FaultsPlanned: 1, FaultsFired: 1},
			},
			{
				ID: "half-open", Title: "A phone changes from WiFi to 4G, and the server does not notice.",
				Row: 3, Column: "step 7", Tally: check.Tally{Runs: 250, FaultsFired: 250, Took: 2 * time.Second, Lost: 17, Duplicated: 1},
				Expected:  "exactly once",
				Replay:    "redial replay out/half-open/plan.json",
				Artifacts: []string{"out/half-open/plan.json", "out/half-open/history.jsonl"},
				Events:    halfOpenHistory(),
				Verdict: check.Verdict{
					Outcome: check.Fail, Level: contract.ServerDelivery, Reason: "no-loss was broken once",
					Lost: 1, FaultsPlanned: 1, FaultsFired: 1,
					Counts: map[contract.RuleID]int{contract.NoLoss: 1, contract.Agreement: 2},
					Findings: []check.Finding{{
						Rule: contract.NoLoss, Anomaly: check.Lost, Must: true, Client: "bob", View: 1, Message: korean,
						Expected: `bob shows "` + korean + `" after it comes back, before ` + script,
						Observed: "it was never shown there, although the log holds it; what came instead was " + controls,
						Event:    16,
					}},
				},
			},
			{
				ID: "silence", Title: "Nothing goes through for ten seconds.",
				Row: 17, Column: "step 7", Tally: check.Tally{Runs: 3, FaultsFired: 2, Took: 1100 * time.Millisecond},
				Replay: "redial replay out/silence/plan.json",
				Verdict: check.Verdict{
					Outcome: check.Inconclusive, Level: contract.ServerDelivery,
					Reason: "the fault f1 never fired: its frame 42[\"chat message\" number 9 did not come",
				},
			},
			{
				ID: "crash", Title: "The server is killed and started again.",
				Row: 8, Column: "step 7",
				Verdict: check.Verdict{
					Outcome: check.Unsupported, Level: contract.ServerDelivery,
					Reason: "the target cannot be stopped and started: it is a URL, not a command",
				},
			},
		},
	}
}

// sampleMatrix has several targets, with cells of every kind.
func sampleMatrix() Report {
	r := Report{Target: "steps", Level: contract.ServerDelivery, Seed: 42, Lab: "virtual", Took: 61 * time.Second}
	ids := []struct {
		row       int
		id, title string
		cells     string
	}{
		{3, "half-open", "A phone changes from WiFi to 4G, and the server does not notice.", "LL✓✓✓"},
		{1, "clean-drop", "The connection drops after at least one message, and comes back.", "L✓✓✓✓"},
		{19, "between-commit-and-emit", "A page connects after a message was stored and before it was sent out.", "––DDD"},
		{36, "burst", "One page says a hundred messages, one straight after the other.", "✓✓R✓✓"},
		{16, "recovery-race", "A message comes while a session is restored.", "–LB?X"},
	}
	for _, row := range ids {
		for i, cell := range []rune(row.cells) {
			result := Result{
				ID: row.id, Title: row.title, Row: row.row, Column: fmt.Sprintf("step %d", i+5),
				Tally: check.Tally{Runs: 10, FaultsFired: 10, Took: 100 * time.Millisecond}, Expected: "exactly once", Met: true,
				Verdict: check.Verdict{Outcome: check.Pass},
			}
			fail := func() { result.Verdict.Outcome, result.Verdict.Reason = check.Fail, "a rule was broken" }
			switch cell {
			case 'L':
				result.Expected, result.Lost = "lost", 2
				fail()
				if i == 0 { // step 5 does not promise more
					result.Beyond = result.Verdict
				}
			case 'D':
				result.Expected, result.Duplicated = "duplicated", 2
				fail()
			case 'R':
				result.Expected, result.Met, result.Reordered = "", false, 2
				fail()
			case 'B':
				result.Expected, result.Lost, result.Duplicated = "lost and duplicated", 2, 2
				fail()
			case 'X':
				result.Expected, result.Met = "deaf", false
				fail()
			case '?':
				result.Verdict = check.Verdict{Outcome: check.Inconclusive, Reason: "the fault f1 never fired"}
			case '–':
				result.Expected, result.Runs = "does not apply", 0
				result.Verdict = check.Verdict{Outcome: check.Unsupported, Reason: "it needs a log"}
			}
			r.Results = append(r.Results, result)
		}
	}
	r.Results = r.Results[1:] // one cell that was not run
	r.Results[0].Expected, r.Results[0].Met = "exactly once", false
	r.Results[0].Replay = "redial replay out/half-open/plan.json"
	return r
}

// crowd is a run of ten clients and about n events, with faults, refreshes and a
// crash, in which one message is shown twice.
func crowd(n int) ([]history.Event, check.Finding) {
	random := rand.New(rand.NewPCG(7, 7))
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "민수"}
	now := 0
	var events []history.Event
	add := func(gap int, e history.Event) {
		now += gap
		e.At = at(now)
		events = append(events, e)
	}
	add(0, history.Event{Kind: history.Began, Level: contract.ServerDelivery})
	add(3, history.Event{Kind: history.ServerStarted})
	views := map[string]int{}
	for _, name := range names {
		views[name] = 1
		add(4, history.Event{Kind: history.Opened, Client: name, View: 1})
	}
	for _, name := range names {
		add(2, history.Event{Kind: history.Connected, Client: name, View: 1})
	}
	finding := check.Finding{Event: -1}
	for number := 1; len(events) < n-20; number++ {
		sender := names[random.IntN(len(names))]
		text := fmt.Sprintf("message %d", number)
		add(10+random.IntN(40), history.Event{Kind: history.Sent, Client: sender, View: views[sender], Message: text})
		away := ""
		if number%6 == 0 {
			away = names[random.IntN(len(names))]
			kind := []plan.FaultKind{plan.Cut, plan.HalfOpen, plan.Silence}[random.IntN(3)]
			id := fmt.Sprintf("f%d", number/6)
			add(1, history.Event{Kind: history.FaultFired, Client: away, Fault: id, FaultKind: kind, Detail: "down, frame 9"})
			add(2, history.Event{Kind: history.Disconnected, Client: away, View: views[away], Detail: "transport close"})
		}
		for _, name := range names {
			if name != away {
				add(random.IntN(4), history.Event{Kind: history.Shown, Client: name, View: views[name], Message: text, Offset: int64(number)})
			}
		}
		if number == 20 {
			add(3, history.Event{Kind: history.FaultFired, Fault: "c1", FaultKind: plan.Crash})
			add(1, history.Event{Kind: history.ServerStopped, Detail: "killed"})
			for _, name := range names {
				add(1, history.Event{Kind: history.Disconnected, Client: name, View: views[name], Detail: "transport close"})
			}
			add(300, history.Event{Kind: history.ServerStarted})
			for _, name := range names {
				add(90, history.Event{Kind: history.Connected, Client: name, View: views[name]})
			}
		}
		if away != "" {
			add(random.IntN(20000), history.Event{Kind: history.FaultHealed, Client: away, Fault: fmt.Sprintf("f%d", number/6), FaultKind: plan.Silence})
			add(5, history.Event{Kind: history.Connected, Client: away, View: views[away], Recovered: number%12 == 0})
			add(3, history.Event{Kind: history.Shown, Client: away, View: views[away], Message: text, Offset: int64(number)})
			if number == 24 {
				add(9, history.Event{Kind: history.Shown, Client: away, View: views[away], Message: text, Offset: int64(number)})
				finding = check.Finding{
					Rule: contract.NoDuplicate, Anomaly: check.Duplicated, Must: true, Client: away, View: views[away],
					Message: text, Expected: "it is shown once", Observed: "it is shown twice, 9 ms apart", Event: len(events) - 1,
				}
			}
		}
		if number%15 == 0 {
			name := names[random.IntN(len(names))]
			add(20, history.Event{Kind: history.Closed, Client: name, View: views[name]})
			views[name]++
			add(8, history.Event{Kind: history.Opened, Client: name, View: views[name]})
			add(15, history.Event{Kind: history.Connected, Client: name, View: views[name]})
		}
	}
	add(45000, history.Event{Kind: history.Barrier})
	for number := 1; number < 12; number++ {
		add(1, history.Event{Kind: history.Stored, Client: plan.Reader, Message: fmt.Sprintf("message %d", number), Offset: int64(number)})
	}
	add(1, history.Event{Kind: history.LogRead})
	add(1, history.Event{Kind: history.Ended})
	return events, finding
}

// gallery is one page of the sample, the crowd and the matrix, for inspection by eye.
func gallery() Report {
	r := sampleMatrix()
	r.Results = append(r.Results, sample().Results...)
	events, finding := crowd(500)
	r.Results = append(r.Results, Result{
		ID: "crowd", Title: "Ten pages talk while links break, pages refresh and the server crashes.", Row: 46, Column: "step 7",
		Tally: check.Tally{Runs: 40, FaultsFired: 212, Took: 7 * time.Second, Duplicated: 1}, Events: events,
		Replay: "redial replay out/crowd/plan.json", Artifacts: []string{"out/crowd/history.jsonl"},
		Verdict: check.Verdict{Outcome: check.Fail, Findings: []check.Finding{finding}, Counts: map[contract.RuleID]int{contract.NoDuplicate: 1}},
	})
	return r
}
