package recovery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

func TestThePrivateIDIsReadFromTheConnectPacketOnly(t *testing.T) {
	for content, want := range map[string]bool{
		`0{"sid":"a","pid":"p"}`:       true,
		`0/chat,{"sid":"a","pid":"p"}`: true,
		`0{"sid":"b","pid":"p"}`:       false, // of another socket on the connection
		`0{"sid":"a"}`:                 false, // recovery is off
		`0`:                            false,
		``:                             false,
		`2{"sid":"a","pid":"p"}`:       false,
	} {
		pid, ok := announced("a", &packet.Packet{Data: types.NewStringBufferString(content)})
		if ok != want || ok && pid != "p" {
			t.Errorf("%s: %q, %t; want %t", content, pid, ok, want)
		}
	}
	for _, created := range []any{nil, &packet.Packet{}, &packet.Packet{Data: types.NewBytesBufferString(`0{"sid":"a","pid":"p"}`)}} {
		if _, ok := announced("a", created); ok {
			t.Errorf("%v has a private id", created)
		}
	}
}

// A part ends with the message that fills it.
func TestAPartOfALongRestoreIsBounded(t *testing.T) {
	small, attachment := text("x"), text("x")
	attachment.buffers = append(attachment.buffers, attachment.buffers[0])
	large := text(strings.Repeat("x", batchBytes/2))
	for _, c := range []struct {
		messages []message
		want     int
	}{
		{slices.Repeat([]message{small}, batchPackets+1), batchPackets},
		{slices.Repeat([]message{attachment}, batchPackets), batchPackets / 2},
		{slices.Repeat([]message{large}, 3), 2},
		{[]message{small}, 1},
		{nil, 0},
	} {
		if got := len(firstOf(c.messages)); got != c.want {
			t.Errorf("the first part of %d messages has %d, want %d", len(c.messages), got, c.want)
		}
	}
}

// While another goroutine writes, a queue may hold as many events as its bound, and no more.
func TestAMemberThatHasTooMuchWaitingIsCutOff(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		s := start(&Builder{}, nil)
		a := s.dial(t, nil)
		connected := s.socketOf(t, a)
		m := newMember(connected, 2) // which is marked as being written to
		for waiting, closed := range []bool{1: false, 2: false, 3: true} {
			m.write()
			time.Sleep(time.Second)
			if got := connected.Conn().ReadyState() == "closed"; got != closed {
				t.Errorf("%d wait: closed %t, want %t", waiting, got, closed)
			}
			m.push(text("x"))
		}
	})
}
