package check

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"redial/harness/plan"
)

// never is the index of an event that has not come.
const never = math.MaxInt

// A view is one page load of one client.
type view struct {
	client string
	number int
	// follower is the view that had the event after this one's the last time; the
	// views of a room show a message one after the other, mostly in one order.
	follower int32

	// isPage tells that it was seen to open or connect. A sender of which nothing
	// else is known (the lab's reader) is no page, and nothing is expected of it.
	isPage      bool
	opened      int   // index of the event, 0 for none
	closed      int   // index of the event, or never
	after       int64 // the offset that it was opened with
	connections []connection
	ended       int   // how many of them are over
	order       int32 // what it sends now is to keep; -1 before it has sent anything
	orderOf     int   // how many connections were over when order was given out

	// What it shows, as places in the order of first sight: every page that shows
	// everything in that order needs a single run.
	runs []run
	// highest is the highest place it shows, holes the places below that it had not
	// shown when it showed a higher one, and filled those that it showed later.
	highest int32
	holes   []span
	filled  map[int32]struct{}
	// again holds what it showed more than once.
	again map[int32]repeat
}

// A connection is a time of a view between two events.
type connection struct {
	from, to         int // the indices of Connected and of its end, or never
	fromTime, toTime plan.Duration
	reason           string
	recovered        bool
	origin           origin
}

// An origin says which server a connection is to.
type origin int

const (
	running  origin = iota
	ended           // one that had ended when the page heard of the connection
	doubtful        // the running one, or one that had ended
)

func (c connection) contains(event int) bool { return c.from < event && event < c.to }

// A run is count messages shown one after the other, at consecutive places.
type run struct {
	from, count int32
	event       int // of the first of them
}

type span struct{ from, to int32 } // both inclusive

// A repeat counts the showings after the first; last is the event of the latest.
type repeat struct{ count, last int }

// next is the place that a view shows next if it goes on as before.
func (v *view) next() int32 {
	if len(v.runs) == 0 {
		return 0
	}
	last := &v.runs[len(v.runs)-1]
	return last.from + last.count
}

// show notes that the view shows the message at place.
func (v *view) show(place int32, event int) {
	switch {
	case place > v.highest+1:
		v.holes = append(v.holes, span{v.highest + 1, place - 1})
		v.highest = place
	case place == v.highest+1:
		v.highest = place
	case v.shows(place):
		if v.again == nil {
			v.again = map[int32]repeat{}
		}
		v.again[place] = repeat{v.again[place].count + 1, event}
		return
	default:
		if v.filled == nil {
			v.filled = map[int32]struct{}{}
		}
		v.filled[place] = struct{}{}
	}
	if len(v.runs) > 0 && v.next() == place {
		v.runs[len(v.runs)-1].count++
		return
	}
	v.runs = append(v.runs, run{place, 1, event})
}

// shows tells whether place has been shown.
func (v *view) shows(place int32) bool {
	if place > v.highest {
		return false
	}
	i, _ := slices.BinarySearchFunc(v.holes, place, func(s span, place int32) int { return cmp.Compare(s.to, place) })
	if i == len(v.holes) || place < v.holes[i].from {
		return true
	}
	_, filled := v.filled[place]
	return filled
}

// places yields what the view shows, in the order in which it first showed it.
func (v *view) places() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for i := range v.runs {
			r := &v.runs[i]
			for place := r.from; place < r.from+r.count; place++ {
				if !yield(place) {
					return
				}
			}
		}
	}
}

// eventAt is the event that first showed place, where it begins a run; else -1.
func (v *view) eventAt(place int32) int {
	for _, r := range v.runs {
		if r.from == place {
			return r.event
		}
	}
	return -1
}

func (v *view) connect(c connection) {
	v.disconnect(c.from, c.fromTime, "") // a Connected with no Disconnected before it
	c.to = never
	v.connections = append(v.connections, c)
}

// disconnect ends the connection that the view has, if it has one.
func (v *view) disconnect(event int, at plan.Duration, reason string) {
	if len(v.connections) == 0 {
		return
	}
	last := &v.connections[len(v.connections)-1]
	if last.to == never {
		last.to, last.toTime, last.reason = event, at, reason
		v.ended++
	}
}

// attempt is the event since which the view may have tried to connect.
func (v *view) attempt() int {
	if len(v.connections) == 0 {
		return v.opened
	}
	return v.connections[len(v.connections)-1].to
}

func (v *view) close(event int, at plan.Duration) {
	if v.closed == never {
		v.disconnect(event, at, "closed")
		v.closed = event
	}
}

// connectedAt returns the connection that the view has at the event, if any.
func (v *view) connectedAt(event int) (connection, bool) {
	return connectedAt(v.connections, event)
}

func connectedAt(all []connection, event int) (connection, bool) {
	i, _ := slices.BinarySearchFunc(all, event, func(c connection, event int) int { return cmp.Compare(c.from, event) })
	if i == 0 || !all[i-1].contains(event) {
		return connection{}, false
	}
	return all[i-1], true
}

// isConnected tells whether the view is connected after the last event.
func (v *view) isConnected() bool {
	return len(v.connections) > 0 && v.connections[len(v.connections)-1].to == never
}
