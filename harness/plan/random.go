package plan

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// The bounds of a random fault. A lasting fault ends well before the time within which a lab
// expects every client to be connected again. A connection takes a handful of frames, so a
// Delay is short.
const (
	longestFault = Duration(5 * time.Second)
	longestDelay = Duration(500 * time.Millisecond)
	mostFaults   = 5
	lastFrame    = 40
)

// Random returns p, which has a client, with one to five random faults added, each waiting for
// its frame, and the seed as the seed of the run. A frame is any client's, in either direction,
// among its first forty. The same p and seed give the same plan. Each fault that lasts heals by
// itself. With keepPages no fault refreshes a page.
func Random(p Plan, seed uint64, keepPages bool) Plan {
	random := rand.New(rand.NewPCG(seed, 'f'))
	p.Seed = seed
	kinds := drawable(keepPages)
	var faults []Fault
	for range 1 + random.IntN(mostFaults) {
		at := randomFrame(random, p.Clients)
		faults = append(faults, randomFault(random, kinds[random.IntN(len(kinds))], at))
	}
	return p.with(faults...)
}

// drawable lists each kind as often as its weight. It is sorted, so that a new order of
// faultKinds does not change the plan of a seed.
func drawable(keepPages bool) (kinds []FaultKind) {
	for _, r := range faultKinds {
		if !keepPages || r.kind != RefreshPage {
			kinds = append(kinds, slices.Repeat([]FaultKind{r.kind}, r.weight)...)
		}
	}
	slices.Sort(kinds)
	return kinds
}

func randomFrame(random *rand.Rand, clients []Client) Frame {
	at := Frame{Client: clients[random.IntN(len(clients))].Name, Direction: Up, Number: 1 + random.IntN(lastFrame)}
	if random.IntN(2) == 0 {
		at.Direction = Down
	}
	return at
}

func randomFault(random *rand.Rand, kind FaultKind, at Frame) Fault {
	f := faultAt(kind, at, random.IntN(2) == 0)
	if kind.Lasts() {
		f.For = between(random, 1, longestFault)
	}
	if kind == Delay {
		f.Delay = between(random, 1, longestDelay)
	}
	return f
}

// between draws a whole number of milliseconds from least to most, evenly on a logarithmic
// scale, so that short times are as frequent as long ones.
func between(random *rand.Rand, least int, most Duration) Duration {
	millisecond := Duration(time.Millisecond)
	span := max(1, float64(most/millisecond)/float64(least))
	drawn := float64(least) * math.Pow(span, random.Float64())
	return Duration(drawn) * millisecond
}
