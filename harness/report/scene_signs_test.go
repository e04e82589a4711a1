package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// Each arrow of a message either names the drawn Sent event that it comes from, or is marked
// as sent outside the drawing.
func TestEveryArrowWasSent(t *testing.T) {
	events, finding := crowd(300)
	events = append(events, history.Event{At: events[len(events)-1].At, Kind: history.Shown, Client: "bob", Message: "nobody sent this"})
	end := time.Duration(events[len(events)-1].At)
	arrows, elsewhere, unsent := 0, 0, 0
	for _, traffic := range []history.Traffic{withTraffic(events), {}} {
		for _, from := range []time.Duration{0, end / 3, end * 3 / 4} {
			svg := Scene{Events: events, Traffic: traffic, Findings: []check.Finding{finding}, From: from, To: from + end/2}.Draw()
			drawn := map[string]bool{}
			for _, e := range elements(t, svg) {
				if e["data-kind"] == string(history.Sent) {
					drawn[e["data-event"]] = true
				}
			}
			for _, e := range elements(t, svg) {
				if !strings.Contains(e["class"], "carries") {
					continue
				}
				arrows++
				at, _ := strconv.ParseInt(e["data-at"], 10, 64)
				index, err := strconv.Atoi(e["data-sent"])
				outside := strings.Contains(e["class"], "elsewhere")
				switch {
				case outside:
					elsewhere++
					if err != nil {
						unsent++
						if e["data-message"] != "nobody sent this" {
							t.Errorf("the arrow of %q comes from nowhere", e["data-message"])
						}
					}
				case err != nil, !drawn[e["data-sent"]]:
					t.Fatalf("an arrow has no sending: %v", e)
				case events[index].Kind != history.Sent, events[index].Message != e["data-message"], int64(events[index].At) > at,
					events[index].At < plan.Duration(from):
					t.Fatalf("the arrow of %q at %d comes from %+v", e["data-message"], at, events[index])
				}
			}
		}
	}
	if arrows < 300 || elsewhere-unsent < 2 || unsent != 2 {
		t.Errorf("%d arrows, %d of them sent before, %d by nobody", arrows, elsewhere, unsent)
	}
}

// Each kind of finding has its own sign at its event, with its rule's sentence, and the sign
// is absent without the finding.
func TestEachFindingHasItsSign(t *testing.T) {
	events := halfOpenHistory()
	drawn := map[string]check.Anomaly{}
	for _, l := range Languages {
		for i, a := range anomalies {
			rule := contract.Rules[i%len(contract.Rules)].ID
			f := check.Finding{Anomaly: a, Rule: rule, Must: true, Client: "bob", Message: "hello", Event: 8}
			svg := Scene{Events: events, Traffic: withTraffic(events), Findings: []check.Finding{f}, Language: l}.Draw()
			var signs []map[string]string
			for _, e := range elements(t, svg) {
				if e["data-kind"] == "finding" {
					signs = append(signs, e)
				}
			}
			if len(signs) != 1 {
				t.Fatalf("%s has %d signs", a, len(signs))
			}
			sign := signs[0]
			lane := "client:bob"
			if a == check.Unstored || a == check.StoredTwice {
				lane = "log"
			}
			if !strings.Contains(sign["title"], l.Rule(rule)) || sign["data-anomaly"] != string(a) || sign["data-lane"] != lane || sign["data-at"] != fmt.Sprint(int64(events[8].At)) {
				t.Errorf("%s in %s: %v", a, l, sign)
			}
			var c canvas
			c.findingSign(a, 0, 0)
			if other, same := drawn[c.body.String()]; same && other != a {
				t.Errorf("%s looks like %s", a, other)
			}
			drawn[c.body.String()] = a
		}
	}
	svg := Scene{Events: events, Traffic: withTraffic(events)}.Draw()
	for _, e := range elements(t, svg) {
		if e["data-kind"] == "finding" {
			t.Errorf("nothing is wrong, and marked: %v", e)
		}
	}
	svg = Scene{Events: events, Findings: []check.Finding{{Anomaly: check.Lost, Client: "bob", Message: "hello", Event: 8}}, From: time.Second}.Draw()
	if strings.Contains(svg, `data-kind="finding"`) {
		t.Error("a finding before the window is marked in it")
	}
}

func TestSessionsAreKeptUntil(t *testing.T) {
	lost := history.Event{At: at(100), Kind: history.Disconnected, Client: "bob", Detail: "transport close"}
	opened := []history.Event{{At: at(1), Kind: history.ServerStarted}, {At: at(10), Kind: history.Connected, Client: "bob"}}
	minute := 60 * time.Second
	for name, c := range map[string]struct {
		then  []history.Event
		keeps time.Duration
		want  int64 // until when, in ms; 0 for no session
	}{
		"expired":           {[]history.Event{lost}, minute, 60100},
		"recovered":         {[]history.Event{lost, {At: at(900), Kind: history.Connected, Client: "bob", Recovered: true}}, minute, 900},
		"not recovered":     {[]history.Event{lost, {At: at(900), Kind: history.Connected, Client: "bob"}}, minute, 60100},
		"server gone":       {[]history.Event{lost, {At: at(500), Kind: history.ServerStopped}}, minute, 500},
		"asked for":         {[]history.Event{{At: at(100), Kind: history.Disconnected, Client: "bob", Detail: "io client disconnect"}}, minute, 0},
		"keeps none":        {[]history.Event{lost}, 0, 0},
		"half-open":         {[]history.Event{{At: at(99), Kind: history.FaultFired, Client: "bob", FaultKind: plan.HalfOpen}, lost}, minute, 0},
		"page closed":       {[]history.Event{{At: at(100), Kind: history.Closed, Client: "bob"}}, minute, 60100},
		"still connected":   {nil, minute, 0},
		"never came to be ": {[]history.Event{{At: at(100), Kind: history.Closed, Client: "carol"}}, minute, 0},
	} {
		svg := Scene{Events: append(slices.Clone(opened), c.then...), Keeps: c.keeps, To: 2 * time.Minute}.Draw()
		got := int64(0)
		for _, e := range elements(t, svg) {
			if e["data-kind"] == "session" {
				until, _ := strconv.ParseInt(e["data-until"], 10, 64)
				got = until / 1e6
			}
		}
		if got != c.want {
			t.Errorf("%s: the session is kept until %d ms, want %d", name, got, c.want)
		}
	}
	// With traffic, the session begins when the server has detected the disconnect.
	events := append(slices.Clone(opened), lost)
	svg := Scene{Events: events, Traffic: withTraffic(events), Keeps: minute, To: 2 * time.Minute}.Draw()
	if !strings.Contains(svg, `data-kind="session" data-lane="client:bob" data-client="bob" data-at="40100000000" data-until="100100000000"`) {
		t.Error("the session of a half-open connection is not kept from when the server notices")
	}
}

func TestFramesCarryMessages(t *testing.T) {
	known := map[string]bool{"hello": true, `say "hi"`: true, "안녕": true, "chat message?": true,
		`{"a":"hello","b":[1,2]}`: true, `[1,"hello"]`: true}
	for text, want := range map[string][]string{
		`42["chat message","hello"]`:                           {"hello"},
		`42["chat message","say \"hi\"",5]`:                    {`say "hi"`},
		`42["chat message","\uc548\ub155"]`:                    {"안녕"},
		"42[\"m\",\"hello\"]\x1e42[\"m\",\"say \\\"hi\\\"\"]":  {"hello", `say "hi"`},
		`42["chat message",{"b": [1, 2], "a": "hello"},"key"]`: {`{"b": [1, 2], "a": "hello"}`},
		`42["chat message",{"user":"bob","text":[1,"hello"]}]`: {`[1,"hello"]`},
		`42["chat message",{"a":"hello","b":[1,3]},"안녕"]`:      {"hello", "안녕"},
		`42["chat message",{"a":"hello","b":[1,2]`:             {"hello"},
		`]}42["chat message","hello"]`:                         {"hello"},
		`42["chat message","hello`:                             nil,
		`2probe`:                                               nil, ``: nil, `"`: nil, `"\`: nil,
	} {
		if got := messagesIn(history.Frame{Type: "text", Text: text}, known); !slices.Equal(got, want) {
			t.Errorf("%s carries %q, want %q", text, got, want)
		}
	}
	if got := messagesIn(history.Frame{Type: "http", Text: "GET /\"hello\"\n42[\"m\",\"안녕\"]"}, known); !slices.Equal(got, []string{"안녕"}) {
		t.Errorf("an HTTP body carries %q", got)
	}
	for range 50 { // the order of a map is random
		long := map[string]bool{"": true, "hello 1": true, "hello 10": true}
		if got := messagesIn(history.Frame{Type: "binary", Text: "\xa8hello 10"}, long); !slices.Equal(got, []string{"hello 10"}) {
			t.Fatalf("a binary frame carries %q", got)
		}
	}
	for text, want := range map[string]string{"0{}": "open", "2": "ping", "3": "pong", "40{}": "connect", "41": "disconnect", `42["x"]`: "event",
		"431[]": "ack", `44{}`: "error", `451-["x"]`: "event", "": "other", "4": "other", "x": "other", "5": "upgrade", "bAA": "binary"} {
		if got := Packet(history.Frame{Type: "text", Text: text}); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	if a, b := Packet(history.Frame{Type: "http", Text: "GET / HTTP/1.1"}), Packet(history.Frame{Type: "http", Text: "HTTP/1.1 200 OK\n0{}"}); a != "http" || b != "open" {
		t.Errorf("HTTP messages are %s and %s", a, b)
	}
}
