package labpage

import (
	"encoding/json"
	"io/fs"
	"maps"
	"regexp"
	"testing"

	"redial/harness/plan"
)

// The page's scripts have a table of their own for the steps that end others, and words for
// every kind of fault.
func TestPageKnowsThePlansKinds(t *testing.T) {
	for _, language := range []string{"en.json", "ko.json"} {
		text, err := fs.ReadFile(Static(), language)
		if err != nil {
			t.Fatal(err)
		}
		var words map[string]string
		if err := json.Unmarshal(text, &words); err != nil {
			t.Fatal(err)
		}
		for _, kind := range plan.FaultKinds {
			if words["fault "+string(kind)] == "" {
				t.Errorf("%s has no words for %s", language, kind)
			}
		}
	}
	script, err := fs.ReadFile(Static(), "edit.js")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?s)const partners = \{(.*?)\};`).FindSubmatch(script)
	if table == nil {
		t.Fatal("edit.js has no partners")
	}
	known, want := map[string]string{}, map[string]string{}
	for _, row := range regexp.MustCompile(`"?([a-z-]+)"?: \[(?:"replace-data", )?"([a-z-]+)"\]`).FindAllSubmatch(table[1], -1) {
		known[string(row[1])] = string(row[2])
	}
	for _, action := range plan.Actions {
		if by := action.EndedBy(); by != "" {
			want[string(action)] = string(by)
		}
	}
	if !maps.Equal(known, want) {
		t.Errorf("the page has %v, the plan %v", known, want)
	}
}
