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
		p := sweep.RandomPlan(func(seed uint64) plan.Plan { return plan.Plan{Seed: seed} }, 1, level)
		wires := 0
		for _, c := range p.Clients {
			if c.Kind != plan.Wire {
				continue
			}
			wires++
			if want := level.AtLeast(contract.ClientDelivery); c.Retries != want {
				t.Errorf("%s: %s retries: %v, want %v", level, c.Name, c.Retries, want)
			}
		}
		if durable := level.AtLeast(contract.DurableDelivery); len(p.Clients) != 3 || durable != (wires == 0) {
			t.Errorf("%s: %d clients take part, %d of them wire clients", level, len(p.Clients), wires)
		}
	}
}
