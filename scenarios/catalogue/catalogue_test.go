package catalogue_test

import (
	"testing"

	"redial/harness/contract"
	"redial/scenarios/catalogue"
)

// The promised level of a row is never below the level from which the row is played.
func TestPromisedIsTheWeakestLevelThatCoversTheRow(t *testing.T) {
	want := map[string]contract.Level{
		"burst": contract.Basic, "clean-drop": contract.Recovery, "server-killed": contract.ServerDelivery,
		"handler-throws": contract.ServerDelivery, "write-on-dead-connection": contract.ClientDelivery,
		"four-cuts": contract.ClientDelivery, "node-dies": contract.ClientDelivery,
		"refresh-with-pending": contract.DurableDelivery, "replaced-database": contract.DurableDelivery,
	}
	for _, s := range catalogue.All {
		promised := s.Promised()
		if level, ok := want[s.ID]; ok && level != promised {
			t.Errorf("%s is promised from %s on, want %s", s.ID, promised, level)
		}
		if !promised.AtLeast(s.From) || promised.Promise() == "" {
			t.Errorf("%s is promised from %s (%q), and played from %s", s.ID, promised, promised.Promise(), s.From)
		}
	}
}
