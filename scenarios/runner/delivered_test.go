package runner

import (
	"sync"
	"testing"

	"redial/scenarios/servers"
)

// Step 5 delivers only the messages that were sent while bob was connected, and step 7 all.
func TestDeliveredTellsAServerThatLosesFromOneThatDoesNot(t *testing.T) {
	t.Parallel()
	measure := func(number string) (d Delivered) {
		server, err := servers.Step(number)
		if err == nil {
			d, err = MeasureDelivered(t.Context(), server, 1)
		}
		if err != nil {
			t.Errorf("step %s: %v", number, err)
		}
		return d
	}
	var loses, keeps Delivered
	var both sync.WaitGroup
	both.Go(func() { loses = measure("5") })
	both.Go(func() { keeps = measure("7") })
	both.Wait()
	t.Logf("step 5: %s of %d, step 7: %s of %d", loses, loses.Sent, keeps, keeps.Sent)
	if d := keeps; d.Shown != d.Sent || d.Sent == 0 {
		t.Errorf("step 7 delivers all: %+v", d)
	}
	if d := loses; d.Shown == d.Sent || d.Shown == 0 {
		t.Errorf("step 5 delivers a part: %+v", d)
	}
}
