package plan

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Passed is one frame that a network passed on in a run: what a fault can be
// aimed at in the next one.
type Passed struct {
	// Client is the one on whose link it passed.
	Client string `json:"client"`
	// Connection is the link's n-th connection, from 1.
	Connection int `json:"connection"`
	// Direction is the way it went.
	Direction Direction `json:"direction"`
	// Number counts the frames of the connection in that direction, from 1.
	Number int `json:"number"`
}

// Points lists the faults that a sweep of p injects, one at a time: every kind of [Sweep] at every
// frame (in the order given), before it and after it. A link breaks at its own frames, a page is
// refreshed at the frames of its own link, and the server ends at any client's frames.
//
// Frames of a client that is not in p (the lab's own reader) are left out, and a frame that is
// listed twice counts once. Points panics on a frame without a connection, a direction or a
// number.
//
// If p has a fault already, and frames are those of a run in which it fired, Points also reaches
// the frames after that fault, which [Pairs] cannot.
func Points(p Plan, frames []Passed) []Fault {
	points := pointsOf(p, frames)
	faults := make([]Fault, len(points))
	for i, at := range points {
		faults[i] = at.within
	}
	return faults
}

// Pairs yields p with two further faults: every unordered pair of [Points]. If there are more
// than most, it yields that many of them, drawn with the seed and spread evenly over all; zero
// or less means no bound. The plans share p's clients and script, which must not be changed
// meanwhile.
//
// After the first fault the client is on another connection. So the later fault counts its
// client's frames over the whole run, and not those of a connection. It does not fire in a run
// that ends before its frame passes.
func Pairs(p Plan, frames []Passed, most int, seed uint64) iter.Seq[Plan] {
	return func(yield func(Plan) bool) {
		points := pointsOf(p, frames)
		for number := range sample(CountPairs(len(points)), most, seed) {
			first, second := pair(number)
			if !yield(p.with(points[first].within, points[second].overall)) {
				return
			}
		}
	}
}

// CountPairs returns the number of pairs of the given number of points.
func CountPairs(points int) int { return points * (points - 1) / 2 }

// sample yields the numbers from 0 below total, in order. If there are more than most, it
// yields one at random from each of most even parts, which spreads them over the whole run.
func sample(total, most int, seed uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		if most <= 0 || most > total {
			most = total
		}
		random := rand.New(rand.NewPCG(seed, 'p'))
		start := 0
		for n := 1; n <= most; n++ {
			// This is total/most·n in whole numbers, without a product that might overflow.
			end := total/most*n + total%most*n/most
			if !yield(start + random.IntN(end-start)) {
				return
			}
			start = end
		}
	}
}

// pair returns the pair with the given number, counted from 0: (0,1), (0,2), (1,2), (0,3), …
func pair(number int) (first, second int) {
	second = int((1 + math.Sqrt(1+8*float64(number))) / 2)
	for CountPairs(second) > number { // the square root was rounded up
		second--
	}
	for CountPairs(second+1) <= number {
		second++
	}
	return number - CountPairs(second), second
}

// A point is one fault at one frame, which is numbered in two ways.
type point struct {
	within  Fault // the frame's number on its connection
	overall Fault // the frame's number over all connections of the client
}

func pointsOf(p Plan, frames []Passed) (points []point) {
	known := map[string]bool{}
	for _, c := range p.Clients {
		known[c.Name] = true
	}
	seen := map[Passed]bool{}
	count := map[Passed]int{} // by client and direction
	for _, f := range frames {
		if f.Connection < 1 || f.Number < 1 || f.Direction != Up && f.Direction != Down {
			panic(fmt.Sprintf("plan: a frame that passed has no place: %+v", f))
		}
		if !known[f.Client] || seen[f] {
			continue
		}
		seen[f] = true
		way := Passed{Client: f.Client, Direction: f.Direction}
		count[way]++
		within := Frame{Client: f.Client, Direction: f.Direction, Number: f.Number, Connection: f.Connection}
		overall := Frame{Client: f.Client, Direction: f.Direction, Number: count[way]}
		for _, after := range []bool{false, true} {
			for _, kind := range Sweep {
				points = append(points, point{faultAt(kind, within, after), faultAt(kind, overall, after)})
			}
		}
	}
	return points
}

// faultAt returns the fault of the kind at a frame. A fault of a link or a page breaks that of
// the frame's client.
func faultAt(kind FaultKind, at Frame, after bool) Fault {
	at.After = after
	f := Fault{Kind: kind, Client: at.Client, At: at}
	switch {
	case kind.OnLink():
		f.At.Client = ""
	case kind.OnServer():
		f.Client = ""
	}
	return f
}

// with returns p with further faults, in a slice of its own, because the plans of a sweep
// share p.
func (p Plan) with(more ...Fault) Plan {
	p.Faults = slices.Concat(p.Faults, more)
	return p
}

// Name describes the plan's armed faults in one line, as a report lists the points of a sweep.
func (p Plan) Name() string {
	if len(p.Faults) == 0 {
		return "no fault is armed"
	}
	names := make([]string, len(p.Faults))
	for i, f := range p.Faults {
		names[i] = armed(f)
	}
	return strings.Join(names, " and ")
}

// WithDefaults replaces zero values by their meaning.
func (at Frame) WithDefaults() Frame {
	at.Direction = cmp.Or(at.Direction, Up)
	at.Number = cmp.Or(at.Number, 1)
	return at
}

// matching describes what the frame must begin with, if anything.
func (at Frame) matching() string {
	if at.Match == "" {
		return ""
	}
	return " that begins with " + quoted(at.Match)
}

// place describes where the frame is counted.
func (at Frame) place(on string) string {
	if at.Connection > 0 {
		return fmt.Sprintf("%s connection %d", possessive(on), at.Connection)
	}
	return possessive(on) + " link"
}
