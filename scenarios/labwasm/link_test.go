package labwasm_test

import (
	"slices"
	"testing"

	"redial/harness/report"
	"redial/scenarios/internal/tour"
	"redial/scenarios/labpage"
)

// TestALinkComesToTheSameVerdictInWebAssembly shares three runs of the tour: one that loses, one
// that reorders and one that passes. (Package labpage plays them all.)
func TestALinkComesToTheSameVerdictInWebAssembly(t *testing.T) {
	needsNode(t)
	documents := tour.Documents(t)
	for i := 1; i < len(documents); i += 4 {
		document := documents[i]
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
