package report

import (
	"math"
	"slices"
	"sort"
	"time"

	"redial/harness/history"
)

func distance(a, b int) int { return max(a-b, b-a) }

// axis places chosen events from left to right.
type axis struct {
	chosen []int
	xs     []float64
	left   float64
	right  float64
}

// newAxis gives each gap a width that grows with the logarithm of its time, then
// scales all to between narrowest and widest, with at least least for each event.
func newAxis(events []history.Event, chosen []int, left, narrowest, widest, least float64) axis {
	a := axis{chosen: chosen, left: left}
	gaps := make([]float64, len(chosen))
	total := 0.0
	for k := range chosen {
		gaps[k] = 16
		if k > 0 {
			gap := time.Duration(events[chosen[k]].At - events[chosen[k-1]].At)
			gaps[k] = gapWidth(gap)
		}
		total += gaps[k]
	}
	scale := 1.0
	if total > 0 {
		scale = min(widest/total, max(1, narrowest/total))
	}
	x := left
	for _, gap := range gaps {
		x += max(least, gap*scale)
		a.xs = append(a.xs, x)
	}
	a.right = max(x+20, left+narrowest)
	return a
}

// gapWidth is 10 for no time at all, about 60 for a second and 105 for a minute.
func gapWidth(gap time.Duration) float64 {
	return 10 + 25*math.Log10(1+float64(max(0, gap))/float64(10*time.Millisecond))
}

// at is the place of the event with the index i, or of the last one drawn before.
func (a axis) at(i int) float64 {
	k := sort.SearchInts(a.chosen, i+1) - 1
	switch {
	case len(a.chosen) > 0 && i > a.chosen[len(a.chosen)-1]:
		return a.right
	case k < 0:
		return a.left
	}
	return a.xs[k]
}

// has tells whether the event with the index i is drawn.
func (a axis) has(i int) bool {
	_, found := slices.BinarySearch(a.chosen, i)
	return found
}
