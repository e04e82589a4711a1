package plan

import (
	"fmt"
	"maps"
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

// Random returns p with one to five random faults added, each waiting for its frame, and the
// seed as the seed of the run. A frame is any client's, in either direction, among its first
// forty. The same p, seed and weights give the same plan. Each fault that lasts heals by
// itself. A plan without clients gets no faults.
//
// weights are how often a kind is drawn relative to the others; a kind that is missing is not
// drawn. Nil means DefaultWeights. A Heal cannot be drawn, because a lasting fault has a For.
// Random panics on a negative weight and on a kind that cannot be drawn.
func Random(p Plan, seed uint64, weights map[FaultKind]int) Plan {
	if weights == nil {
		weights = DefaultWeights()
	}
	random := rand.New(rand.NewPCG(seed, 'f'))
	p.Seed = seed
	kinds := newLottery(weights)
	if len(p.Clients) == 0 {
		return p
	}
	var faults []Fault
	for range 1 + random.IntN(mostFaults) {
		at := randomFrame(random, p.Clients)
		faults = append(faults, randomFault(random, kinds.draw(random), at))
	}
	return p.with(faults...)
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
	row, _ := kind.row()
	if row.lasts {
		f.For = between(random, 1, longestFault)
	}
	if row.draw != nil {
		row.draw(random, &f)
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

// A lottery draws kinds by weight.
type lottery struct {
	kinds []FaultKind
	upTo  []int // the running sum of the weights
	total int
}

func newLottery(weights map[FaultKind]int) lottery {
	var l lottery
	drawable := append(slices.Clone(Sweep), Lasting...)
	// Sorted, because the order of a map is random and the draw must depend on the seed only.
	for _, kind := range slices.Sorted(maps.Keys(weights)) {
		if weights[kind] < 0 || !slices.Contains(drawable, kind) {
			panic(fmt.Sprintf("plan: %s cannot be drawn with the weight %d; there are %v, from 0", kind, weights[kind], drawable))
		}
		l.total += weights[kind]
		l.kinds, l.upTo = append(l.kinds, kind), append(l.upTo, l.total)
	}
	if l.total == 0 {
		panic("plan: no kind of fault has a weight above 0: nothing can be drawn")
	}
	return l
}

func (l lottery) draw(random *rand.Rand) FaultKind {
	ticket := random.IntN(l.total)
	return l.kinds[slices.IndexFunc(l.upTo, func(sum int) bool { return ticket < sum })]
}
