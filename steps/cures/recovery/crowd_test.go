package recovery

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
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

// Only the adapter's lock orders the two goroutines, so the race detector reports it if missing.
func TestTwoNewMembersEnterAtOnce(t *testing.T) {
	a := &adapter{bySid: map[socket.SocketId]*session{}, live: map[socket.SocketId]*member{}, log: newEventLog(1, 1, time.Minute)}
	one, other := newMember(socket.MakeSocket(), 1), newMember(socket.MakeSocket(), 1)
	var both sync.WaitGroup
	both.Go(func() { a.enterNew(one) })
	both.Go(func() { a.enterNew(other) })
	both.Wait()
	if len(a.live) != 1 { // neither has an id
		t.Errorf("%d members are live, want 1", len(a.live))
	}
}
