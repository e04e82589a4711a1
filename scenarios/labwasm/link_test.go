package labwasm_test

import (
	"slices"
	"testing"

	"redial/harness/report"
	"redial/scenarios/internal/tour"
	"redial/scenarios/labpage"
	"redial/scenarios/labwasm"
)

// TestALinkComesToTheSameVerdictInWebAssembly shares the runs of the tour, with lost and
// duplicated messages and without. (redial replay has such a test of its own.)
func TestALinkComesToTheSameVerdictInWebAssembly(t *testing.T) {
	node, err := labwasm.Start(built(t))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	for _, document := range tour.Documents(t) {
		link, err := document.Fragment()
		if err != nil {
			t.Fatal(err)
		}
		r := labpage.Request{Link: "https://example.org/lab/?lang=ko#" + link, View: labpage.View{Width: 900, Language: report.English}}
		there, err := node.Play(r)
		if err != nil {
			t.Fatal(err)
		}
		here := labpage.Play(t.Context(), r)
		if here.Error != "" || there.Error != "" || there.Outcome != here.Outcome || there.Reason != here.Reason || !slices.Equal(findings(there), findings(here)) {
			t.Errorf("step %s: in WebAssembly %s %s %q, native %s %s %q", document.Step, there.Error, there.Outcome, findings(there), here.Error, here.Outcome, findings(here))
		}
	}
}
