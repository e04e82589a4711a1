package recovery

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// Clients connect, emit, lose their connections and are restored, all at the same time: each
// receives every event once and in order. With the race detector it finds a lock that is missing.
func TestManyComeAndGoAtOnce(t *testing.T) {
	const clients, returns = 4, 8
	s := start(t, &Builder{Takeover: true}, nil)
	var (
		lock    sync.Mutex
		emitted int
		crowd   sync.WaitGroup
	)
	emitNext := func() int {
		lock.Lock()
		defer lock.Unlock()
		emitted++
		s.emit(emitted)
		return emitted
	}
	comeAndGo := func(t *testing.T) {
		c := s.dial(t, nil)
		own := emitNext()
		c.await(t, "its own event", func() bool { return slices.Contains(numbersOf(c.events), own) })
		var received []int
		for n := range returns {
			c.cut()
			if n%2 == 0 { // else the dead connection is taken over
				s.awaitEnd(t, c)
			}
			received = append(received, c.numbers()...)
			emitNext()
			back := s.dial(t, c)
			wantRecovered(t, c, back, true)
			c = back
		}
		c.awaitEvent(t, clients*(1+returns))
		received = append(received, c.numbers()...)
		for n, number := range received {
			if number != received[0]+n {
				t.Fatalf("received %v", received)
			}
		}
	}
	for n := range clients {
		crowd.Go(func() { t.Run(fmt.Sprint(n), comeAndGo) })
	}
	crowd.Wait()
}
