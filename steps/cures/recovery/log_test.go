package recovery

import (
	"testing"
	"time"

	"github.com/zishang520/socket.io/v3/pkg/types"
)

// A log of two events, kept for a minute: first one has to go for lack of room, then one more and
// one that is too old.
func TestReplayStartsWhereNothingThatTheClientLacksIsGone(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	log := newEventLog(2, 1<<20, time.Minute)
	add := func(after time.Duration) { log.append(event{at: start.Add(after)}) }
	check := func(position uint64, arrived time.Duration, want uint64, ok bool) {
		t.Helper()
		if got, restorable := log.startFor(position, start.Add(arrived)); restorable != ok || ok && got != want {
			t.Errorf("with events up to %d, written by %s: from %d, %t; want from %d, %t", position, arrived, got, restorable, want, ok)
		}
	}
	for second := range 3 {
		add(time.Duration(second) * time.Second)
	}
	check(0, time.Hour, 0, false) // the event 1 had no room
	check(1, 0, 1, true)
	check(3, 0, 3, true)
	check(4, 0, 0, false) // no such event yet

	add(5 * time.Minute)
	check(1, time.Hour, 0, false)     // nor had the event 2
	check(2, 2*time.Second, 0, false) // the event 3 was too old and may not have been written
	check(2, 3*time.Second, 3, true)  // it was written to the client before
	check(3, 2*time.Second, 3, true)
}

func TestAnEventIsKeptForItsTimeAndNoLonger(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	log := newEventLog(2, 1<<20, time.Minute)
	log.append(event{at: start})
	log.trim(start.Add(time.Minute))
	if len(log.events) != 1 {
		t.Error("after a minute it is gone")
	}
	log.trim(start.Add(time.Minute + 1))
	if len(log.events) != 0 || log.newest() != 1 {
		t.Errorf("it is kept for longer: %d events, the newest %d", len(log.events), log.newest())
	}
}

func TestTheLogHoldsAsManyBytesAsItMay(t *testing.T) {
	log := newEventLog(10, 8, time.Minute)
	for want := range 3 {
		log.append(event{message: text("text"), at: time.Now()})
		if got := len(log.events); got != min(want+1, 2) {
			t.Errorf("%d events of 4 bytes in a log of 8, want %d", got, min(want+1, 2))
		}
	}
}

func text(content string) message {
	return message{buffers: []types.BufferInterface{types.NewStringBufferString(content)}}
}

func TestAClearedLogGoesOnCounting(t *testing.T) {
	log := newEventLog(2, 1<<20, time.Minute)
	log.append(event{message: text("text"), at: time.Now()})
	log.clear()
	if log.newest() != 1 || len(log.events) != 0 || log.bytes != 0 {
		t.Errorf("cleared: %d events of %d bytes, the newest %d", len(log.events), log.bytes, log.newest())
	}
	if _, restorable := log.startFor(0, time.Now()); restorable {
		t.Error("a client that lacks what was cleared is restored")
	}
}

func TestOffsetIsOfThisLog(t *testing.T) {
	log := newEventLog(2, 1<<20, time.Minute)
	for offset, want := range map[string]bool{
		log.offset(35): true, log.epoch: false, log.epoch + ".": false, log.epoch + ".-1": false, "x" + log.offset(35): false, "": false,
	} {
		if position, ok := log.position(offset); ok != want || ok && position != 35 {
			t.Errorf("the offset %q is the position %d, %t", offset, position, ok)
		}
	}
}
