package sweep_test

import (
	"testing"

	"redial/harness/contract"
	"redial/harness/plan"
	"redial/harness/sweep"
)

// Whoever promises to store what was said on an open page can be held to it only by
// clients that say it again; and on a page that was refreshed, by pages.
func TestWhoTakesPartInRandomPlans(t *testing.T) {
	for _, level := range contract.Levels {
		pages, wires := 0, 0
		for seed := range uint64(100) {
			p := sweep.RandomPlan(func(seed uint64) plan.Plan { return plan.Plan{Seed: seed} }, seed, level)
			refreshed := map[string]bool{}
			for _, s := range p.Script {
				refreshed[s.Client] = refreshed[s.Client] || s.Do == plan.Refresh
			}
			for _, f := range p.Faults {
				client := f.Client + f.At.Client
				refreshed[client] = refreshed[client] || f.Kind == plan.RefreshPage
			}
			for _, c := range p.Clients {
				if c.Kind != plan.Wire {
					pages++
					continue
				}
				wires++
				if want := level.AtLeast(contract.ClientDelivery); c.Retries != want {
					t.Errorf("%s: %s retries: %v, want %v", level, c.Name, c.Retries, want)
				}
				if level.AtLeast(contract.DurableDelivery) && refreshed[c.Name] {
					t.Errorf("%s: %s, a wire client, loses what it has not sent", level, c.Name)
				}
			}
		}
		if pages < 10 || wires < 200 {
			t.Errorf("%s: of a hundred plans, %d pages and %d wire clients", level, pages, wires)
		}
	}
}
