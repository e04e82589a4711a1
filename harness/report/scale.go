package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"redial/harness/plan"
)

// A Scale maps time to distance in a drawing.
type Scale string

const (
	// Logarithmic gives each gap between two drawn instants a width that grows with the
	// logarithm of its time, because a run consists of bursts of milliseconds with tens of
	// seconds of waiting between them. A [Scene] without a scale uses it.
	Logarithmic Scale = "logarithmic"
	// Linear makes equal times equally wide.
	Linear Scale = "linear"
)

// A scaled axis maps the time of a window to x, with straight lines between its points.
type scaled struct {
	Kind  Scale         `json:"kind"`
	From  plan.Duration `json:"from"`
	To    plan.Duration `json:"to"`
	Left  float64       `json:"left"`
	Right float64       `json:"right"`
	// Top and Bottom are the edges of the lanes.
	Top    float64 `json:"top"`
	Bottom float64 `json:"bottom"`
	// Points are pairs of a time in nanoseconds and its x, both increasing.
	Points [][2]float64 `json:"points"`

	at []plan.Duration
	xs []float64
}

// newScaled makes the axis for a window in which something is drawn at those times.
func newScaled(kind Scale, from, to plan.Duration, times []plan.Duration, left, right float64) scaled {
	s := scaled{Kind: kind, From: from, To: max(to, from+1), Left: left, Right: right}
	s.at = []plan.Duration{s.From, s.To}
	if kind == Logarithmic {
		for _, t := range times {
			s.at = append(s.at, min(max(t, s.From), s.To))
		}
		slices.Sort(s.at)
		s.at = slices.Compact(s.at)
	}
	total, x := 0.0, 0.0
	s.xs = make([]float64, len(s.at))
	for i := range s.at {
		if i > 0 {
			total += weight(kind, s.at[i]-s.at[i-1])
		}
		s.xs[i] = total
	}
	for i := range s.xs {
		x = left + s.xs[i]/total*(right-left)
		s.xs[i] = math.Round(x*10) / 10
		s.Points = append(s.Points, [2]float64{float64(s.at[i]), s.xs[i]})
	}
	return s
}

// weight is the relative width of a gap. On the logarithmic scale a second is three times as
// wide as ten milliseconds.
func weight(kind Scale, gap plan.Duration) float64 {
	if kind == Linear {
		return float64(gap)
	}
	return 0.15 + math.Log10(1+float64(gap)/float64(time.Millisecond))
}

// x maps an instant to its x. An instant outside the window is drawn at its edge.
func (s scaled) x(at plan.Duration) float64 {
	i, exact := slices.BinarySearch(s.at, at)
	switch {
	case exact:
		return s.xs[i]
	case i == 0:
		return s.Left
	case i == len(s.at):
		return s.Right
	}
	share := float64(at-s.at[i-1]) / float64(s.at[i]-s.at[i-1])
	return s.xs[i-1] + share*(s.xs[i]-s.xs[i-1])
}

func (s scaled) has(at plan.Duration) bool { return at >= s.From && at <= s.To }

type tick struct {
	x    float64
	text string
}

// ticks returns as many round times as fit, at least that many pixels apart.
func (s scaled) ticks(apart float64) (list []tick) {
	unit := plan.Duration(1)
	span := s.To - s.From
	if s.Kind == Linear {
		for step := plan.Duration(time.Microsecond); ; step *= 10 {
			for _, n := range []plan.Duration{1, 2, 5} {
				if unit = n * step; float64(unit)/float64(span)*(s.Right-s.Left) >= apart {
					for t := (s.From + unit - 1) / unit * unit; t <= s.To; t += unit {
						list = append(list, tick{s.x(t), tickText(t, unit)})
					}
					return list
				}
			}
		}
	}
	next := s.Left
	for i, x := range s.xs {
		if x >= next && (i == len(s.xs)-1 || x <= s.Right-apart) {
			list = append(list, tick{x, clock(s.at[i])})
			next = x + apart
		}
	}
	return list
}

// tickText has as many decimals as the distance between ticks needs.
func tickText(t, unit plan.Duration) string {
	decimals := max(0, int(math.Ceil(-math.Log10(time.Duration(unit).Seconds()))))
	return fmt.Sprintf("%.*fs", decimals, time.Duration(t).Seconds())
}
