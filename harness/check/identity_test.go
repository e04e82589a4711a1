package check

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"redial/harness/contract"
	"redial/harness/history"
)

// asObjects makes each message of a history an object, whose keys write arranges.
func asObjects(events []history.Event, write func(fields []string) []string) []history.Event {
	objects := make([]history.Event, len(events))
	for i, e := range events {
		if e.Message != "" {
			fields := []string{fmt.Sprintf(`"text":%q`, e.Message), `"id":9007199254740993`, `"by":null`}
			e.Message = "{" + strings.Join(write(fields), ",") + "}"
		}
		objects[i] = e
	}
	return objects
}

// TestOrderOfKeysChangesNoVerdict judges a history of texts, and the same one with objects
// whose keys are in any order in each event.
func TestOrderOfKeysChangesNoVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := anyHistory(t)
		objects := asObjects(texts, func(fields []string) []string { return rapid.Permutation(fields).Draw(t, "keys") })
		want, got := Judge(texts), Judge(objects)
		if got.Outcome != want.Outcome || !maps.Equal(got.Counts, want.Counts) || got.Lost != want.Lost ||
			got.Duplicated != want.Duplicated || got.Reordered != want.Reordered || len(got.Findings) != len(want.Findings) {
			t.Fatalf("texts are judged\n%sand objects\n%s%s", verdictText(want), verdictText(got), listing(objects))
		}
		for i, f := range got.Findings {
			if f.Event != want.Findings[i].Event || f.Rule != want.Findings[i].Rule {
				t.Fatalf("finding %d is\n%s, event %d, want\n%s, event %d\n%s", i, f, f.Event, want.Findings[i], want.Findings[i].Event, listing(objects))
			}
		}
	})
}

func TestChangedValueOfObjectIsPhantom(t *testing.T) {
	for name, shown := range map[string]string{
		"value":          `{"b":2,"a":{"n":9007199254740993,"s":"other"}}`,
		"rounded number": `{"b":2,"a":{"n":9007199254740992,"s":"e\u0301"}}`,
		"normalised":     `{"b":2,"a":{"n":9007199254740993,"s":"\u00e9"}}`,
		"duplicate key":  `{"b":1,"b":2,"a":{"n":9007199254740993,"s":"e\u0301"}}`,
		"missing key":    `{"a":{"n":9007199254740993,"s":"e\u0301"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			sent := `{"a":{"s":"e\u0301","n":9007199254740993},"b":2}`
			v := JudgeAt(contract.Basic, []history.Event{
				{Kind: history.Began},
				{Kind: history.Connected, Client: "alice", View: 1},
				{Kind: history.Sent, Client: "alice", View: 1, Message: sent},
				{Kind: history.Shown, Client: "alice", View: 1, Message: shown},
				{Kind: history.Ended},
			})
			if v.Outcome != Fail || v.Rule() != contract.NoPhantom || len(v.Findings) != 1 {
				t.Errorf("%s", verdictText(v))
			}
		})
	}
}
