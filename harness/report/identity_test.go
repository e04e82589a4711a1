package report

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/history"
)

var arrowsIn = regexp.MustCompile(`class="arrow" d="[^"]*"`)

// A message that is an object is one message, in whichever order each event has its keys: the
// excerpt of a failure has the same events, and the drawing the same arrows.
func TestOrderOfKeysHidesNoEvent(t *testing.T) {
	files, err := filepath.Glob("testdata/rules/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	orders := []string{`{"a":%[1]q,"b":2}`, `{"b":2,"a":%[1]q}`}
	histories := map[string][]history.Event{"signs beside each other": {
		{Kind: history.Opened, Client: "alice"}, {Kind: history.Opened, Client: "bob"}, {At: at(1), Kind: history.Connected, Client: "alice"},
		{At: at(1), Kind: history.Connected, Client: "bob"}, {At: at(2), Kind: history.Sent, Client: "alice", Message: "one"},
		{At: at(3), Kind: history.Shown, Client: "bob", Message: "one"}, {At: at(3), Kind: history.Sent, Client: "alice", Message: "two"},
		{At: at(3), Kind: history.Shown, Client: "bob", Message: "two"}, {At: at(9), Kind: history.Ended},
	}}
	for _, file := range files {
		histories[file] = readHistory(t, file)
	}
	for name, original := range histories {
		var told []string
		var traffic history.Traffic
		for n := range orders {
			events := slices.Clone(original)
			for i := range events {
				if events[i].Message != "" {
					events[i].Message = fmt.Sprintf(orders[n*i%2], events[i].Message)
				}
			}
			v := check.Judge(events)
			svg := Scene{Events: events, Findings: v.Findings}.Draw()
			if n == 0 {
				traffic = withTraffic(events)
			}
			framed := Scene{Events: events, Findings: v.Findings, Traffic: traffic}.Draw()
			x := newExcerpt(Result{Events: events, Verdict: v})
			told = append(told, fmt.Sprintf("events %v, %d lanes, %d arrows from a send, %d that end nowhere, arrows of frames %s", x.chosen, len(x.lanes(Style{Width: 100})),
				strings.Count(svg, "data-sent="), strings.Count(svg, "estimated unknown"), arrowsIn.FindAllString(framed, -1)))
		}
		if told[0] != told[1] {
			t.Errorf("%s\nin one order:   %s\nin both orders: %s", name, told[0], told[1])
		}
	}
}
