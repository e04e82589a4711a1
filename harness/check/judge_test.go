package check

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

func TestEveryRuleIsJudged(t *testing.T) {
	for _, rule := range contract.Rules {
		if rules[rule.ID] == nil {
			t.Errorf("no function judges the rule %s", rule.ID)
		}
	}
	if len(rules) != len(contract.Rules) {
		t.Errorf("%d functions for %d rules", len(rules), len(contract.Rules))
	}
}

// TestVerdictChangesNothing calls Verdict after every event: the last verdict has to equal
// that of a Checker that was asked once, and that of Judge.
func TestVerdictChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyHistory(t)
		asked, quiet := NewChecker(), NewChecker()
		for _, e := range events {
			asked.Add(e)
			asked.Verdict()
			quiet.Add(e)
		}
		last := quiet.Verdict()
		if again := asked.Verdict(); !reflect.DeepEqual(again, last) {
			t.Fatalf("asked all along\n%swant\n%s", verdictText(again), verdictText(last))
		}
		judged := Judge(events)
		for i := range last.Findings {
			if last.Findings[i].Event < 0 {
				last.Findings[i].Event = judged.Findings[i].Event // a Checker has not kept it
			}
		}
		if !reflect.DeepEqual(judged, last) {
			t.Fatalf("Judge says\n%swant\n%s", verdictText(judged), verdictText(last))
		}
	})
}

// TestLevelsIncludeEachOther: a stronger level blames everything that a weaker one blames, and
// fails every run that the weaker one fails.
func TestLevelsIncludeEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyHistory(t)
		for i := 1; i < len(contract.Levels); i++ {
			weak, strong := JudgeAt(contract.Levels[i-1], events), JudgeAt(contract.Levels[i], events)
			if strong.Level.AtLeast(contract.ClientDelivery) && mayHaveGone(events) {
				continue
			}
			for rule, n := range weak.Counts {
				if movesToOrder(rule) && strong.Level == contract.ClientDelivery && strong.Counts[contract.Order] > 0 {
					continue
				}
				if blamed := strong.Counts[rule]; blamed < n && weak.Counts[contract.NoPhantom] == 0 {
					t.Fatalf("%s: %d at %s and %d at %s\n%s", rule, n, weak.Level, blamed, strong.Level, listing(events))
				}
			}
			if weak.Outcome == Fail && strong.Outcome == Pass {
				t.Fatalf("it fails %s and passes %s\n%s", weak.Level, strong.Level, listing(events))
			}
		}
	})
}

// mayHaveGone reports whether a message may have gone with the server's data that was replaced,
// though the connection that carried it had ended: from client-delivery on the page may have sent
// it again before, at durable-delivery another tab, and without an echo nothing shows it.
func mayHaveGone(events []history.Event) bool {
	return events[0].NoEcho && slices.ContainsFunc(events, func(e history.Event) bool { return e.Kind == history.DataReplaced })
}

// movesToOrder reports whether a break of the rule may count under rule order from
// client-delivery on. There a view has one order for all its connections (see orderOf), so one
// message out of order can replace several that were out of the connections' orders, or a
// contradiction between pages, or a message that was not required because of the log's order.
func movesToOrder(rule contract.RuleID) bool {
	return rule == contract.Order || rule == contract.Agreement || rule == contract.NoLoss
}

func TestDetailsAreBoundedAndCountsComplete(t *testing.T) {
	events := []history.Event{
		{Kind: history.Began, Level: contract.Basic},
		{Kind: history.Connected, Client: "alice", View: 1},
		{Kind: history.Sent, Client: "alice", View: 1, Message: "hello"},
		{Kind: history.Shown, Client: "alice", View: 1, Message: "hello"},
	}
	for i := range 100 {
		events = append(events, history.Event{Kind: history.Shown, Client: "alice", View: 1, Message: string(rune('가' + i))})
	}
	events = append(events, history.Event{Kind: history.Ended})
	v := Judge(events)
	if len(v.Findings) != detailsPerRule || v.Counts[contract.NoPhantom] != 100 {
		t.Errorf("%d findings and a count of %d, want %d and 100", len(v.Findings), v.Counts[contract.NoPhantom], detailsPerRule)
	}
}

func TestFindingReadsAsOneLine(t *testing.T) {
	f := Finding{
		Rule: contract.NoLoss, Anomaly: Lost, Client: "bob", View: 1, Message: "line one\nline \"two\"",
		Expected: "to be shown", Observed: "the page shows no message at all",
	}
	want := `no-loss: bob's page (view 1) does not show "line one\nline \"two\"": expected to be shown, but the page shows no message at all`
	if f.String() != want {
		t.Errorf("got  %s\nwant %s", f, want)
	}
}

// TestOrderOverTwoConnections: a message of one connection may come after a message of the
// next one at the levels at which a page has several messages in flight.
func TestOrderOverTwoConnections(t *testing.T) {
	event := func(kind history.Kind, message string) history.Event {
		return history.Event{Kind: kind, Client: "alice", View: 1, Message: message}
	}
	for _, c := range []struct {
		between []history.Event
		level   contract.Level
		want    int
	}{
		{nil, contract.ServerDelivery, 1},
		{[]history.Event{event(history.Disconnected, ""), event(history.Connected, "")}, contract.ServerDelivery, 0},
		{[]history.Event{event(history.Disconnected, ""), event(history.Connected, "")}, contract.ClientDelivery, 1},
	} {
		events := []history.Event{
			{Kind: history.Began, Level: c.level, KeepsLog: true},
			event(history.Opened, ""), event(history.Connected, ""), event(history.Sent, "one"),
		}
		events = append(events, c.between...)
		events = append(events, event(history.Sent, "two"), event(history.Shown, "two"), event(history.Shown, "one"),
			history.Event{Kind: history.Stored, Message: "two", Offset: 1}, history.Event{Kind: history.Stored, Message: "one", Offset: 2},
			history.Event{Kind: history.LogRead}, history.Event{Kind: history.Ended})
		if v := Judge(events); v.Counts[contract.Order] != c.want {
			t.Errorf("%s, with %d events between: %d out of order, want %d", c.level, len(c.between), v.Counts[contract.Order], c.want)
		}
	}
}

// Where the server does not echo a message to its sender, the sender's page shows it without
// an event. So only the other pages are required to show it.
func TestSenderWithoutEchoNeedNotShowItsOwnMessage(t *testing.T) {
	story := func(noEcho, acknowledged, connects bool, shows string) []history.Event {
		events := []history.Event{
			{Kind: history.Began, Level: contract.Recovery, NoEcho: noEcho},
			{Kind: history.Opened, Client: "alice", View: 1}, {Kind: history.Connected, Client: "alice", View: 1},
			{Kind: history.Opened, Client: "bob", View: 1},
		}
		if connects {
			events = append(events, history.Event{Kind: history.Connected, Client: "bob", View: 1})
		}
		events = append(events, history.Event{Kind: history.Sent, Client: "alice", View: 1, Message: "hi"})
		if acknowledged {
			events = append(events, history.Event{Kind: history.Acknowledged, Client: "alice", View: 1, Message: "hi"})
		}
		if shows != "" {
			events = append(events, history.Event{Kind: history.Shown, Client: "bob", View: 1, Message: shows})
		}
		if !connects {
			events = append(events, history.Event{Kind: history.Closed, Client: "bob", View: 1})
		}
		return append(events, history.Event{Kind: history.Barrier}, history.Event{Kind: history.Ended})
	}
	for name, c := range map[string]struct {
		noEcho, acknowledged, connects bool
		shows                          string
		want                           Outcome
	}{
		"no echo, and the other shows it":                        {true, true, true, "hi", Pass},
		"no echo, and the other misses it":                       {true, true, true, "", Fail},
		"no echo and no answer, and the other shows it":          {true, false, true, "hi", Pass},
		"no echo and no answer, and the other misses it":         {true, false, true, "", Fail},
		"no echo and no answer, and there is no other to get it": {true, false, false, "", Pass},
		"an echo that never comes":                               {false, true, true, "hi", Fail},
		"an echo that never comes, where nobody else is":         {false, false, false, "", Fail},
	} {
		if v := Judge(story(c.noEcho, c.acknowledged, c.connects, c.shows)); v.Outcome != c.want {
			t.Errorf("%s: %s (%s)", name, v.Outcome, v.Reason)
		}
	}
}

// Beyond skips the levels that the given one includes, and those that the history keeps.
func TestBeyondNamesTheWeakestLevelThatFails(t *testing.T) {
	missesRow := story("began basic; connected alice; sent alice m; shown alice m; connected bob; barrier; stored m; log-read")
	for _, c := range []struct {
		promised contract.Level
		events   []history.Event
		want     contract.Level
	}{
		{contract.Basic, missesRow, contract.ServerDelivery},
		{contract.ServerDelivery, missesRow, contract.ClientDelivery},
		{contract.Basic, story("began basic; connected alice; sent alice m; shown alice m; barrier"), ""},
	} {
		if v := Beyond(c.promised, c.events); v.Level != c.want || (v.Outcome == Fail) != (c.want != "") {
			t.Errorf("beyond %s: %s at %q, want it failed at %q", c.promised, v.Outcome, v.Level, c.want)
		}
	}
}

// A Checker keeps the events of a text that one page alone shows, and of one that a page shows
// elsewhere than the others do. Only for the rest does a finding need Locate.
func TestCheckerKeepsTheEventsOfAnomalies(t *testing.T) {
	c := NewChecker()
	for _, e := range story("began basic; sent alice m; shown alice m ghost; shown bob ghost") {
		c.Add(e)
	}
	for i, f := range c.Verdict().Findings {
		if want := 3 + i; f.Event != want {
			t.Errorf("event %d, want %d: %s", f.Event, want, f)
		}
	}
}

// A saved finding has the numbers of the report. One that was saved with indices has none, rather
// than the numbers of other events.
func TestSavedFindingCountsEventsFromOne(t *testing.T) {
	const blank = `{"rule":"","anomaly":"","must":false,"expected":"","observed":""`
	for text, want := range map[string]Finding{
		blank + `,"atEvent":1}`:                     {},
		blank + `,"namedEvents":[1,3],"atEvent":3}`: {Event: 2, Named: []int{0, 2}},
		blank + `}`: {Event: -1},
	} {
		saved, err := json.Marshal(want)
		if err != nil || string(saved) != text {
			t.Errorf("%s, want %s: %v", saved, text, err)
		}
		var read Finding
		if err := json.Unmarshal(saved, &read); err != nil || !reflect.DeepEqual(read, want) {
			t.Errorf("%s is read as %+v, want %+v: %v", saved, read, want, err)
		}
	}
	var old Finding
	if err := json.Unmarshal([]byte(`{"rule":"tells","named":[4],"event":5}`), &old); err != nil || old.Event != -1 || old.Named != nil {
		t.Errorf("an old finding is read as %+v: %v", old, err)
	}
}

func TestScriptLeavesPageDisconnected(t *testing.T) {
	stop, start, node := plan.Step{Do: plan.StopServer}, plan.Step{Do: plan.StartServer}, plan.Step{Do: plan.KillServer, Node: "a"}
	disconnect, connect := plan.Step{Do: plan.Disconnect, Client: "bob"}, plan.Step{Do: plan.Connect, Client: "bob"}
	other := plan.Step{Do: plan.Connect, Client: "alice"}
	for name, c := range map[string]struct {
		script []plan.Step
		want   bool
	}{
		"the server stops":                      {[]plan.Step{stop}, true},
		"and starts again":                      {[]plan.Step{stop, start}, false},
		"another server of the cluster stops":   {[]plan.Step{node}, false},
		"the page moves to a server that stops": {[]plan.Step{{Do: plan.Move, Client: "bob", Node: "a"}, node}, true},
		"all servers start again":               {[]plan.Step{{Do: plan.StopServer, Node: "b"}, start}, false},
		"and back":                              {[]plan.Step{node, {Do: plan.Move, Client: "bob", Node: "a"}, {Do: plan.Move, Client: "bob", Node: "b"}}, false},
		"the page disconnects":                  {[]plan.Step{disconnect, other}, true},
		"and connects again":                    {[]plan.Step{disconnect, connect}, false},
		"another page disconnects":              {[]plan.Step{{Do: plan.Disconnect, Client: "alice"}}, false},
		"another page moves to one that stops":  {[]plan.Step{{Do: plan.Move, Client: "alice", Node: "a"}, node}, false},
		"its server is paused and continued":    {[]plan.Step{{Do: plan.PauseServer, Node: "b"}, {Do: plan.ContinueServer, Node: "b"}}, false},
		"another one starts":                    {[]plan.Step{{Do: plan.StopServer, Node: "b"}, {Do: plan.StartServer, Node: "a"}}, true},
	} {
		if got := leftDisconnected(plan.Plan{Clients: []plan.Client{{Name: "bob", Node: "b"}, {Name: "alice", Node: "a"}}, Script: c.script}, "bob", "a"); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

// A page whose plan names no server is on the first one.
func TestAPageMayBeLeftWithoutTheFirstServer(t *testing.T) {
	p := &plan.Plan{Clients: []plan.Client{{Name: "bob"}}, Script: []plan.Step{{Do: plan.KillServer, Node: "a"}}}
	events := story("began basic; server-started a b; connected bob; sent bob m; shown bob m; server-stopped a; disconnected bob")
	events[0].Plan = p
	if v := Judge(events); v.Outcome != Pass {
		t.Errorf("%s: %s", v.Outcome, v.Reason)
	}
}
