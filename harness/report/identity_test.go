package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
)

// A message that is an object is one message, in whichever order each event has its keys: the
// excerpt of a failure has the same events, and the drawing the same arrows.
func TestOrderOfKeysHidesNoEvent(t *testing.T) {
	files, err := filepath.Glob("testdata/rules/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	orders := []string{`{"a":%[1]q,"b":2}`, `{"b":2,"a":%[1]q}`}
	for _, file := range files {
		var told []string
		for n := range orders {
			events := slices.Clone(readHistory(t, file))
			for i := range events {
				if events[i].Message != "" {
					events[i].Message = fmt.Sprintf(orders[n*i%2], events[i].Message)
				}
			}
			v := check.Judge(events)
			svg, _ := scene(t, Scene{Events: events, Findings: v.Findings})
			x := newExcerpt(Result{Events: events, Verdict: v})
			told = append(told, fmt.Sprintf("events %v, %d lanes, %d arrows from a send, %d that end nowhere", x.chosen, len(x.lanes(Style{Width: 100})),
				strings.Count(svg, "data-sent="), strings.Count(svg, "estimated unknown")))
		}
		if told[0] != told[1] {
			t.Errorf("%s\nin one order:   %s\nin both orders: %s", file, told[0], told[1])
		}
	}
}
