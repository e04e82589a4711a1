package recovery

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// An event is what was broadcast and can be sent again. It is kept as it was
// encoded, because encoding consumes binary arguments that are readers.
type event struct {
	message
	at            time.Time
	bytes         int
	rooms, except *types.Set[socket.Room]
}

// reaches tells whether the event is for a session that was in these rooms.
func (e *event) reaches(rooms *types.Set[socket.Room]) bool {
	included := e.rooms.Len() == 0
	for _, room := range rooms.Keys() {
		if e.except.Has(room) {
			return false
		}
		included = included || e.rooms.Has(room)
	}
	return included
}

// eventLog holds the newest events. Each has a number, from 1, without gaps; a
// place in the log is the number of the last event seen. The adapter's lock guards
// it.
type eventLog struct {
	// epoch tells this log's offsets from those of another process.
	epoch     string
	maxEvents int
	maxBytes  int
	keepFor   time.Duration
	// dropped is the number of the newest event that is gone, droppedAt when it was
	// broadcast, and crowdedOut the number of the newest that had to go for lack of room.
	dropped, crowdedOut uint64
	droppedAt           time.Time
	events              []event
	bytes               int // in all of them
}

func newEventLog(maxEvents, maxBytes int, keepFor time.Duration) *eventLog {
	return &eventLog{epoch: rand.Text()[:10], maxEvents: maxEvents, maxBytes: maxBytes, keepFor: keepFor}
}

// newest is the number of the last event that was appended, 0 before the first.
func (l *eventLog) newest() uint64 { return l.dropped + uint64(len(l.events)) }

// offset writes a place in the log as a client gets it.
func (l *eventLog) offset(position uint64) string {
	return l.epoch + "." + strconv.FormatUint(position, 36)
}

// position parses an offset. The second result is false unless this log issued the offset.
func (l *eventLog) position(offset string) (uint64, bool) {
	epoch, number, _ := strings.Cut(offset, ".")
	if epoch != l.epoch {
		return 0, false
	}
	position, err := strconv.ParseUint(number, 36, 64)
	return position, err == nil
}

// startFor returns the position from which to replay to a client that has the events up to
// position, and those that were written to it before the time arrived. The second
// result is false if an event that the client may lack was deleted.
func (l *eventLog) startFor(position uint64, arrived time.Time) (uint64, bool) {
	switch {
	case position > l.newest() || position < l.crowdedOut:
		return 0, false
	case position >= l.dropped:
		return position, true
	}
	return l.dropped, l.droppedAt.Before(arrived)
}

func (l *eventLog) append(e event) {
	e.bytes = e.size()
	l.events = append(l.events, e)
	l.bytes += e.bytes
	l.trim(e.at)
}

// after returns the events after position, none of which must be gone. They never
// change; the slice is the log's own.
func (l *eventLog) after(position uint64) []event { return l.events[position-l.dropped:] }

// trim drops what is too much or too old.
func (l *eventLog) trim(now time.Time) {
	drop := 0
	gone := func() { l.bytes -= l.events[drop].bytes; drop++ }
	for len(l.events)-drop > l.maxEvents || l.bytes > l.maxBytes {
		gone()
	}
	if drop > 0 {
		l.crowdedOut = l.dropped + uint64(drop)
	}
	for drop < len(l.events) && now.Sub(l.events[drop].at) > l.keepFor {
		gone()
	}
	if drop > 0 {
		l.droppedAt = l.events[drop-1].at
	}
	clear(l.events[:drop])
	l.events = l.events[drop:]
	l.dropped += uint64(drop)
	if len(l.events) == 0 {
		l.events = nil
	}
}

func (l *eventLog) clear() {
	l.dropped = l.newest()
	l.crowdedOut = l.dropped
	l.events, l.bytes = nil, 0
}
