package recovery

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// gap is an adapter that emits an event in the moment between the restoring of a
// session and its socket's entry into the namespace.
type gap struct {
	socket.Adapter
	armed bool
}

func (g *gap) AddAll(id socket.SocketId, rooms *types.Set[socket.Room]) {
	_, stored := g.Nsp().Sockets().Load(id)
	if g.armed && !stored && rooms.Has(socket.Room(id)) {
		g.armed = false
		_ = g.Nsp().Emit("n", 3)
	}
	g.Adapter.AddAll(id, rooms)
}

type gapBuilder struct {
	inner socket.AdapterConstructor
	made  *gap
}

func (b *gapBuilder) New(nsp socket.Namespace) socket.Adapter {
	b.made = &gap{Adapter: b.inner.New(nsp)}
	return b.made
}

// TestGap is the race below without the luck: one event in the gap. The library
// losing it is the negative control.
func TestGap(t *testing.T) {
	for _, c := range []struct {
		name  string
		inner socket.AdapterConstructor
		want  []int
	}{
		{"library", &socket.SessionAwareAdapterBuilder{}, []int{2, 4}},
		{"ours", &Builder{}, []int{2, 3, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			builder := &gapBuilder{inner: c.inner}
			s := start(t, builder, nil)
			a := s.awayAfterOne(t)
			s.emit(2)
			builder.made.armed = true
			b := s.dial(t, a)
			wantRecovered(t, a, b, true)
			s.emit(4)
			b.awaitEvent(t, 4)
			wantNumbers(t, b, c.want...)
		})
	}
}

// TestProbe is the two races without the arrangement: what each adapter makes of them,
// in one run and one table. The library's figures say that there was something to lose. They
// differ with each run, so that nothing is asserted of them: only -v (make probe) takes them.
func TestProbe(t *testing.T) {
	reconnects, emitted := 100, 500
	if testing.Verbose() {
		reconnects, emitted = 300, 2_000
	}
	table := new(strings.Builder)
	columns := tabwriter.NewWriter(table, 0, 0, 2, ' ', 0)
	fmt.Fprintf(columns, "adapter\trecovered\tlost\tduplicated\tdead sockets\tplaces where two clients disagree\tinversions of an emitter\n")
	for _, c := range []struct {
		name    string
		builder socket.AdapterConstructor
		holds   bool
	}{
		{"the library's", &socket.SessionAwareAdapterBuilder{}, false},
		{"ours", &Builder{Takeover: true, MaxEvents: 1_000_000}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.holds && !testing.Verbose() {
				t.Skip("without -v: nothing is asserted of the library")
			}
			race := restoreRace(t, c.builder, reconnects)
			disagree, inverted := orderProbe(t, c.builder, emitted)
			fmt.Fprintf(columns, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n",
				c.name, race.recovered, race.lost, race.duplicated, race.overlooked, disagree, inverted)
			if !c.holds {
				return
			}
			if want := (raceResult{recovered: reconnects}); race != want {
				t.Errorf("the restores are %+v, want %+v", race, want)
			}
			if disagree != 0 || inverted != 0 {
				t.Errorf("the clients disagree at %d places, with %d inversions; want one order", disagree, inverted)
			}
		})
	}
	_ = columns.Flush()
	t.Logf("one emitter at 100 µs and %d reconnects, then four emitters:\n%s", reconnects, table)
}

type raceResult struct {
	recovered, lost, duplicated int
	// overlooked counts sockets that stay in the namespace though their connection
	// has long ended.
	overlooked int
}

// restoreRace reconnects again and again while one goroutine emits, and counts what a
// recovered client lacks or has twice.
func restoreRace(t *testing.T, builder socket.AdapterConstructor, reconnects int) (result raceResult) {
	s := start(t, builder, nil)
	stop := make(chan struct{})
	var emitter sync.WaitGroup
	emitter.Go(func() {
		tick := time.NewTicker(100 * time.Microsecond)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = s.io.Sockets().Emit("n", n)
			}
		}
	})
	defer emitter.Wait()
	defer close(stop)

	c := s.dial(t, nil)
	last := 0
	for range reconnects {
		c.await(t, "an event", func() bool { return len(c.events) > 2 })
		c.cut()
		if !s.endsWithin(c, 2*time.Second) {
			result.overlooked++
		}
		for _, n := range c.numbers() {
			switch {
			case last != 0 && n > last+1:
				result.lost += n - last - 1
			case last != 0 && n <= last:
				result.duplicated++
			}
			last = n
		}
		next := s.dial(t, c)
		if next.sid == c.sid {
			result.recovered++
		} else {
			last = 0
		}
		c = next
	}
	return result
}

func (s *server) endsWithin(c *client, bound time.Duration) bool {
	for deadline := time.Now().Add(bound); !s.hasEnded(c); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// orderProbe emits from four goroutines and compares what the clients were sent.
func orderProbe(t *testing.T, builder socket.AdapterConstructor, events int) (disagree, inverted int) {
	const emitters, clients = 4, 4
	s := start(t, builder, nil)
	var all []*client
	for range clients {
		all = append(all, s.dial(t, nil))
	}
	var emitting sync.WaitGroup
	for e := range emitters {
		emitting.Go(func() {
			for n := range events {
				_ = s.io.Sockets().Emit("n", e*events+n)
			}
		})
	}
	emitting.Wait()
	var reference []int
	for i, c := range all {
		c.await(t, "all events", func() bool { return len(c.events) == emitters*events })
		numbers := c.numbers()
		last := map[int]int{}
		for at, n := range numbers {
			if e := n / events; n < last[e] {
				inverted++
			} else {
				last[e] = n
			}
			if i > 0 && reference[at] != n {
				disagree++
			}
		}
		reference = numbers
		if c.outOfLogOrder() && s.adapter != nil {
			t.Error("a client's offsets go back")
		}
	}
	return disagree, inverted
}

// outOfLogOrder tells whether the offsets that the client was sent ever go back.
func (c *client) outOfLogOrder() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.IsSortedFunc(c.events, func(a, b []any) int {
		x, y := a[len(a)-1].(string), b[len(b)-1].(string)
		if len(x) != len(y) { // base 36 without leading zeros
			return len(x) - len(y)
		}
		return slices.Compare([]byte(x), []byte(y))
	})
}

// BenchmarkBroadcast compares the price of the order with the library's adapter.
func BenchmarkBroadcast(b *testing.B) {
	for name, builder := range map[string]socket.AdapterConstructor{
		"library": &socket.SessionAwareAdapterBuilder{},
		"ours":    &Builder{},
	} {
		b.Run(name, func(b *testing.B) {
			s := start(b, builder, nil)
			for range 20 {
				s.dial(b, nil)
			}
			for n := 0; b.Loop(); n++ {
				_ = s.io.Sockets().Emit("n", n)
			}
		})
	}
}
