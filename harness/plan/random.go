package plan

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// RandomConfig says what [Random] draws from. The zero value is ready to use.
type RandomConfig struct {
	// Least and Most are how many faults a plan gets. Zero means 1, and Least+4.
	Least, Most int
	// Weights are how often a kind is drawn beside the others; a kind that is not
	// there is not drawn. Nil means DefaultWeights. A Heal cannot be drawn: what
	// lasts gets a For.
	Weights map[FaultKind]int
	// Frames are the frames to aim at, as a run without these faults passed them.
	// They are counted over the whole run. Without them any client's frame may be
	// drawn, in either direction, from number 1 to LastFrame.
	Frames []Passed
	// LastFrame bounds a frame's number where there are no Frames. Zero means 40.
	LastFrame int
	// Longest bounds how long a lasting fault lasts, of at least a millisecond.
	// Zero means DefaultLongest.
	Longest Duration
}

// DefaultLongest is how long a random fault lasts at most. It is well below the
// bound within which a lab expects everyone back.
const DefaultLongest = Duration(5 * time.Second)

// longestDelay bounds what a random Delay adds to a frame: a connection is made in
// a handful of them.
const longestDelay = Duration(500 * time.Millisecond)

// Random returns p with random faults added, each waiting for its frame, and the
// seed as the seed of the run. The same p, seed and config give the same plan. Each
// fault that lasts heals by itself. A plan without clients is given no faults.
//
// A weight that is negative or of a kind that cannot be drawn is a mistake of the
// caller's: Random panics.
func Random(p Plan, seed uint64, config RandomConfig) Plan {
	config = config.withDefaults()
	random := rand.New(rand.NewPCG(seed, 'f'))
	p.Seed = seed
	kinds := newLottery(config.Weights)
	frames := aims(p, config.Frames)
	if len(p.Clients) == 0 || len(config.Frames) > 0 && len(frames) == 0 {
		return p
	}
	var faults []Fault
	for range config.Least + random.IntN(config.Most-config.Least+1) {
		at := config.anyFrame(random, p.Clients)
		if len(frames) > 0 {
			at = frames[random.IntN(len(frames))].overall
		}
		faults = append(faults, config.anyFault(random, kinds.draw(random), at))
	}
	return p.with(faults...)
}

func (c RandomConfig) withDefaults() RandomConfig {
	if c.Weights == nil {
		c.Weights = DefaultWeights()
	}
	if c.Least <= 0 {
		c.Least = 1
	}
	if c.Most == 0 {
		c.Most = c.Least + 4
	}
	c.Most = max(c.Most, c.Least)
	if c.LastFrame <= 0 {
		c.LastFrame = 40
	}
	if c.Longest <= 0 {
		c.Longest = DefaultLongest
	}
	return c
}

func (c RandomConfig) anyFrame(random *rand.Rand, clients []Client) Frame {
	at := Frame{Client: clients[random.IntN(len(clients))].Name, Direction: Up, Number: 1 + random.IntN(c.LastFrame)}
	if random.IntN(2) == 0 {
		at.Direction = Down
	}
	return at
}

func (c RandomConfig) anyFault(random *rand.Rand, kind FaultKind, at Frame) Fault {
	at.After = random.IntN(2) == 0
	f := Fault{Kind: kind, At: at}
	if row, _ := kind.row(); row.where != onServer {
		f.Client = at.Client
	}
	if f.IsLink() {
		f.At.Client = ""
	}
	if f.Kind.Lasts() {
		f.For = between(random, 1, c.Longest)
	}
	switch kind {
	case Delay:
		f.Delay = between(random, 1, longestDelay)
	case Limit:
		f.BytesPerSecond = 500 << random.IntN(8)
	}
	return f
}

// between draws a whole number of milliseconds from least up to most, short ones
// as readily as long ones: each tenfold is as likely as the next.
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
	// Sorted, for a map has another order each time.
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
