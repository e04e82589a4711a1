// Package tour reads the runs of the lab page's guided tour, for tests that play all of
// them. The tour is tour.json in the static files of package labpage. Package tour must not judge these runs.
package tour

import (
	"encoding/json"
	"io/fs"
	"testing"

	"redial/scenarios/labpage"
)

// Documents returns the plan of each fault in the tour.
func Documents(t testing.TB) []labpage.Document {
	t.Helper()
	text, err := fs.ReadFile(labpage.Static(), "tour.json")
	if err != nil {
		t.Fatal(err)
	}
	var tour struct{ Breaks []labpage.Document }
	if err := json.Unmarshal(text, &tour); err != nil || len(tour.Breaks) == 0 {
		t.Fatalf("tour.json has %d breaks: %v", len(tour.Breaks), err)
	}
	return tour.Breaks
}
