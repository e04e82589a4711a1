package check

import (
	"cmp"
	"math"
	"slices"

	"redial/harness/plan"
)

// never is the index of an event that did not happen.
const never = math.MaxInt

// A view is one page load of one client.
type view struct {
	client string
	number int
	// follower is the view whose event came next the last time. Views mostly show a message
	// in the same order, so it is a good guess for the next event's view.
	follower int32

	// isPage tells that the history has an event about the page itself. The lab's reader
	// only sends, so it is no page, and nothing is expected of it.
	isPage      bool
	opened      int // index of the event, 0 for none
	closed      int // index of the event, or never
	connections connections
	ended       int   // the number of connections that are over
	order       int32 // see Checker.orderOf; -1 before the view has sent anything
	orderOf     int   // the value of ended when order was assigned
	// suspended tells that its page is suspended. doubt is when its connection may have ended
	// unnoticed: since then it was blocked, and no barrier or Connected showed it to be up.
	suspended bool
	doubt     moment
	// unproved tells that it is blocked when the run ends. blockedAt are the barriers before that
	// at which it was blocked, which show nothing about it.
	unproved  bool
	blockedAt []int

	// runs are the places that the view shows. A page that shows messages in the order of
	// Checker.firstShown needs a single run, whatever their number.
	runs []run
	// highest is the highest place that it shows, holes are the lower places that it had not
	// shown before a higher one, and filled those of them that it showed later.
	highest int32
	holes   []span
	filled  map[int32]struct{}
	// again holds the places that it showed more than once.
	again map[int32]repeat
	// removed has the messages that it had removed when the run ended, and the event of each.
	removed map[int32]int
}

// A moment is an event, 0 for none, and its time.
type moment struct {
	event int
	at    plan.Duration
}

// A connection is the period between two events in which a view was connected.
type connection struct {
	from, to int // the events that begin and end it; to may be never
	// proved is to, or an earlier event from which on the connection may have ended unnoticed:
	// a barrier after it shows nothing.
	proved           int
	fromTime, toTime plan.Duration
	reason           string
	recovered        bool
	origin           origin
}

// An origin is the server process that a connection belongs to.
type origin int

const (
	running   origin = iota
	ended            // one that had ended when the page heard of the connection
	uncertain        // the running one, or one that had ended
)

func (c connection) contains(event int) bool { return c.from < event && event < c.to }

// connections are in their order, and do not overlap.
type connections []connection

// before returns the number of connections that began before the event.
func (all connections) before(event int) int {
	i, _ := slices.BinarySearchFunc(all, event, func(c connection, event int) int { return cmp.Compare(c.from, event) })
	return i
}

// at returns the connection that contains the event. If none does, the one returned contains
// nothing.
func (all connections) at(event int) (one connection, connected bool) {
	i := all.before(event)
	if i == 0 || !all[i-1].contains(event) {
		return connection{}, false
	}
	return all[i-1], true
}

// A run is a sequence of messages at consecutive places, shown one after the other.
type run struct {
	from, count int32
	event       int // the event of the first one
}

type span struct{ from, to int32 } // both inclusive

// A repeat counts how often a place was shown after the first time; last is the latest event.
type repeat struct{ count, last int }

// next returns the place after the one that the view showed last.
func (v *view) next() int32 {
	if len(v.runs) == 0 {
		return 0
	}
	last := &v.runs[len(v.runs)-1]
	return last.from + last.count
}

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

func (v *view) remove(message int32, event int) {
	if v.removed == nil {
		v.removed = map[int32]int{}
	}
	v.removed[message] = event
}

// shows reports whether the view shows a place that is not above the highest.
func (v *view) shows(place int32) bool {
	i, _ := slices.BinarySearchFunc(v.holes, place, func(s span, place int32) int { return cmp.Compare(s.to, place) })
	if i == len(v.holes) || place < v.holes[i].from {
		return true
	}
	_, filled := v.filled[place]
	return filled
}

func (v *view) connect(c connection) {
	v.disconnect(c.from, c.fromTime, "") // for a Connected without a Disconnected before it
	c.to, c.proved, v.suspended = never, never, false
	v.connections = append(v.connections, c)
}

func (v *view) disconnect(event int, at plan.Duration, reason string) {
	if len(v.connections) == 0 {
		return
	}
	last := &v.connections[len(v.connections)-1]
	if last.to == never {
		last.to, last.proved, last.toTime, last.reason = event, event, at, reason
		if v.doubt.event > 0 { // the server may have ended it at any time since
			last.proved, last.toTime = v.doubt.event, v.doubt.at
		}
		v.doubt = moment{}
		v.ended++
	}
}

// doubtFrom notes that the view's connection may end unnoticed from the event on.
func (v *view) doubtFrom(event int, at plan.Duration) {
	if v.isConnected() && v.doubt.event == 0 {
		v.doubt = moment{event, at}
	}
}

// attempt returns the event since which the view may have been trying to connect.
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

// wasBlockedAt reports whether the view was blocked at the barrier.
func (v *view) wasBlockedAt(barrier int) bool {
	_, blocked := slices.BinarySearch(v.blockedAt, barrier)
	return blocked
}

// isConnected reports whether the view is connected after the last event.
func (v *view) isConnected() bool {
	return len(v.connections) > 0 && v.connections[len(v.connections)-1].to == never
}
