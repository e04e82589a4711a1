package recovery

import (
	"testing"

	"redial/steps/backpressure"
)

// A restore may write much more than the server lets wait for one client: it goes as
// fast as the client reads, in place of having it cut off for what is not its fault.
func TestALongRestoreKeepsPace(t *testing.T) {
	const missed = 5_000
	s := start(t, &Builder{}, nil)
	backpressure.Limit{Packets: 2*flushBatch + 1}.Apply(s.io)
	a := s.dial(t, nil)
	s.emit(0)
	a.awaitEvent(t, 0)
	s.drop(t, a)
	var want []int
	for n := range missed {
		s.emit(n)
		want = append(want, n)
	}
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	b.awaitEvent(t, missed-1)
	wantNumbers(t, b, want...)
}
