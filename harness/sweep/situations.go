package sweep

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"redial/harness/history"
)

// Explored counts the different situations in which a connection began or ended, a fault
// fired, and the server started or ended. It estimates how much of the possible behaviour the
// runs have covered.
type Explored struct {
	// Runs is the number of runs.
	Runs int
	// Fresh is the number of new situations in each 1,000 runs.
	Fresh []int

	seen map[string]int // the number of runs with the situation
}

// freshRuns is the number of runs that an element of Fresh is about.
const freshRuns = 1000

// Add counts a run, and returns the number of situations that no earlier run had.
func (x *Explored) Add(events []history.Event) (fresh int) {
	if x.seen == nil {
		x.seen = map[string]int{}
	}
	if x.Runs%freshRuns == 0 {
		x.Fresh = append(x.Fresh, 0)
	}
	x.Runs++
	for s := range situations(events) {
		if x.seen[s]++; x.seen[s] == 1 {
			fresh++
		}
	}
	x.Fresh[len(x.Fresh)-1] += fresh
	return fresh
}

// Situations returns the number of different situations.
func (x *Explored) Situations() int { return len(x.seen) }

// Next estimates the number of new situations in the next run: the situations that one run
// alone had, divided by the number of runs. (I. J. Good, "The Population Frequencies of Species
// and the Estimation of Population Parameters", Biometrika 40, 1953, after Turing.)
func (x *Explored) Next() float64 {
	once := 0
	for _, runs := range x.seen {
		if runs == 1 {
			once++
		}
	}
	return float64(once) / float64(max(1, x.Runs))
}

// Rising reports whether the second half of the runs still had at least a tenth as many new
// situations as the first. With fewer than 2,000 runs it returns true.
func (x *Explored) Rising() bool {
	half := x.Runs / freshRuns / 2 // the last runs may be no full thousand
	if half == 0 {
		return true
	}
	first, second := 0, 0
	for i, n := range x.Fresh[:2*half] {
		if i < half {
			first += n
		} else {
			second += n
		}
	}
	return 10*second > first
}

// Found returns the n for which a defect that one run in n shows is found by this number of
// runs with a probability of 95 %: the rule of three. (Hanley and Lippman-Hand, "If
// Nothing Goes Wrong, Is Everything All Right?", JAMA 249, 1983.)
func Found(runs int) int { return max(1, runs/3) }

// Hidden returns the probability that none of the runs shows a defect which on average one run
// in oneIn shows.
func Hidden(runs int, oneIn float64) float64 { return math.Pow(1-1/oneIn, float64(runs)) }

// situations returns the different situations of a run. Counts in them are none, one or more,
// and the other clients have no names; otherwise hardly two runs would share a situation.
func situations(events []history.Event) map[string]bool {
	all := map[string]bool{}
	w := world{clients: map[string]*state{}, sent: map[string]bool{}, up: true}
	for _, e := range events {
		switch e.Kind {
		case history.Connected, history.Disconnected, history.Opened, history.Closed,
			history.FaultFired, history.ServerStarted, history.ServerStopped:
			all[w.situation(e)] = true
		}
		w.apply(e)
	}
	return all
}

// A world is the state at an instant of a run.
type world struct {
	clients map[string]*state
	sent    map[string]bool // the value is whether a page has shown the message
	shown   int             // the number of messages that a page has shown
	up      bool
}

// A state is the state of one client.
type state struct {
	connected, recovered bool
	sessions             int // the sessions that were not recovered
	shown                map[string]bool
	unacknowledged       int
}

func (w *world) of(client string) *state {
	if w.clients[client] == nil {
		w.clients[client] = &state{shown: map[string]bool{}}
	}
	return w.clients[client]
}

func (w *world) apply(e history.Event) {
	switch e.Kind {
	case history.ServerStarted:
		w.up = true
	case history.ServerStopped:
		w.up = false
	}
	if e.Client == "" {
		return
	}
	s := w.of(e.Client)
	switch e.Kind {
	case history.Opened:
		*s = state{shown: map[string]bool{}}
	case history.Connected:
		s.connected, s.recovered = true, e.Recovered
		if !e.Recovered {
			s.sessions++
		}
	case history.Disconnected, history.Closed:
		s.connected = false
	case history.Sent:
		s.unacknowledged++
		w.sent[e.Message] = false
	case history.Acknowledged, history.Refused:
		s.unacknowledged--
	case history.Shown:
		if shown, sent := w.sent[e.Message]; sent && !shown {
			w.sent[e.Message] = true
			w.shown++
		}
		s.shown[e.Message] = true
	}
}

// situation describes the state in which e happens: that of its client, and those of the
// others, sorted.
func (w *world) situation(e history.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %t %t %s|", e.Kind, e.FaultKind, e.Recovered, w.up, few(len(w.sent)-w.shown))
	if e.Client != "" {
		b.WriteString(w.client(w.of(e.Client)))
	}
	var others []string
	for name, s := range w.clients {
		if name != e.Client {
			others = append(others, w.client(s))
		}
	}
	slices.Sort(others)
	return b.String() + "|" + strings.Join(slices.Compact(others), ",")
}

func (w *world) client(s *state) string {
	return fmt.Sprint(s.connected, s.recovered, few(s.sessions), few(w.shown-len(s.shown)), few(s.unacknowledged))
}

// few reduces a count to none, one or more.
func few(n int) string { return []string{"0", "1", "+"}[min(max(n, 0), 2)] }
