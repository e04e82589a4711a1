package wire

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/client"
	"redial/harness/protocol"
)

// readLogFrom reads the log of a scripted server within a minute of the fake clock.
func readLogFrom(t *testing.T, p *protocol.Protocol, play func(t *testing.T, m *memory)) (rows []Row, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		done := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() {
			defer close(done)
			rows, err = ReadLog(ctx, client.Options{URL: "http://chat.test", Dial: m.dial, Protocol: p}, "end", false)
		}()
		play(t, m)
		<-done
	})
	return rows, err
}

// awaitSentinel accepts the first client, sends it rows and receives its sentinel.
func awaitSentinel(t *testing.T, m *memory, rows ...string) *peer {
	t.Helper()
	p := m.connected(t, `40{"sid":"s1"}`)
	for _, row := range rows {
		p.send(row)
	}
	p.expect(`420["chat message","end"]`)
	return p
}

func TestReadLogOfAServerWithoutOffsetsIsErrNoLog(t *testing.T) {
	rows, err := readLogFrom(t, nil, func(t *testing.T, m *memory) {
		p := awaitSentinel(t, m)
		p.send(`42["chat message","sent meanwhile"]`)
		p.send(`42["chat message","end"]`) // no offset
		p.expect("close")
	})
	if !errors.Is(err, ErrNoLog) || len(rows) != 0 {
		t.Errorf("rows %v, error %v", rows, err)
	}
}

func TestReadLogKeepsRepeatedRows(t *testing.T) {
	rows, err := readLogFrom(t, nil, func(t *testing.T, m *memory) {
		p := awaitSentinel(t, m, `42["chat message","two",2]`)
		p.send(`42["chat message","end",3]`)
		p.expect("close")
		p = m.connected(t, `40{"sid":"s2"}`)
		for _, row := range []string{`"two",2`, `"one",1`, `"two",2`, `"end",3`} {
			p.send(`42["chat message",` + row + `]`)
		}
		p.expect("close")
	})
	if err != nil || !slices.Equal(rows, []Row{{"two", 2}, {"one", 1}, {"two", 2}, {"end", 3}}) {
		t.Errorf("rows %v, error %v", rows, err)
	}
}

func TestReadLogErrorsNameTheProgress(t *testing.T) {
	for want, play := range map[string]func(t *testing.T, m *memory){
		"the server refused the message that marks its end: not that": func(t *testing.T, m *memory) {
			p := awaitSentinel(t, m)
			p.send(`430[{"error":"not that"}]`)
			p.expect("close")
		},
		"the connection ended after 1 rows: transport close": func(t *testing.T, m *memory) {
			awaitSentinel(t, m, `42["chat message","one",1]`).conn.Close()
		},
		"the message that marks the end of the log did not come back (context deadline exceeded; 1 rows so far)": func(t *testing.T, m *memory) {
			p := awaitSentinel(t, m, `42["chat message","one",1]`)
			time.Sleep(30 * time.Second)
			p.send("2")
			p.expect("3", "close")
		},
		"the message that marks the end of the log was accepted but did not come back (context deadline exceeded; 0 rows so far)": func(t *testing.T, m *memory) {
			p := awaitSentinel(t, m)
			p.send("430[]")
			time.Sleep(30 * time.Second)
			p.send("2")
			p.expect("3", "close")
		},
		"the server was not reached (context deadline exceeded; 0 rows so far)": func(t *testing.T, m *memory) {
			m.setDown(true)
		},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := readLogFrom(t, nil, play)
			if err == nil || err.Error() != want {
				t.Errorf("error %v\n want %s", err, want)
			}
			if late := strings.Contains(want, "deadline"); late != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it wraps DeadlineExceeded: %v; want %v", !late, late)
			}
		})
	}
}

func TestReadLogOfAHistoryWithoutOffsets(t *testing.T) {
	for _, silent := range []bool{false, true} {
		p := historyProtocol()
		p.NoEcho = silent
		rows, err := readLogFrom(t, p, func(t *testing.T, m *memory) {
			first := m.connected(t, `40{"sid":"s1"}`)
			first.send(historyEvent("a", "b"))
			first.expect(`420["send","end"]`)
			if silent {
				first.send("430[]")
			} else {
				first.send(historyEvent("a", "b", "end"))
			}
			first.expect("close")
			second := m.connected(t, `40{"sid":"s2"}`)
			second.send(historyEvent("a", "b"))
			second.send(historyEvent("a", "b", "a", "end"))
			second.expect("close")
		})
		if want := []Row{{"a", 0}, {"b", 0}, {"a", 0}, {"end", 0}}; err != nil || !slices.Equal(rows, want) {
			t.Errorf("no echo %v: rows %v, error %v", silent, rows, err)
		}
	}
}

// Without an echo, the first client does not receive an offset. Without an acknowledgement, it
// does not know either when the message is in the log.
func TestReadLogWithoutAnEcho(t *testing.T) {
	p := roomProtocol()
	p.Namespace, p.NoEcho, p.Send.NoAck = "", true, true
	play := func(offset string) func(t *testing.T, m *memory) {
		return func(t *testing.T, m *memory) {
			first := m.connected(t, `40{"sid":"s1"}`)
			first.receive()
			sent := time.Now()
			first.expect("close")
			if waited := time.Since(sent); waited != sendDelay {
				t.Errorf("closed after %s, want %s", waited, sendDelay)
			}
			second := m.connected(t, `40{"sid":"s2"}`)
			second.send(`42["new",{"body":"a","seq":1}]`)
			second.send(`42["new",{"body":"end"` + offset + `}]`)
			second.expect("close")
		}
	}
	rows, err := readLogFrom(t, p, play(`,"seq":2`))
	if want := []Row{{"a", 1}, {"end", 2}}; err != nil || !slices.Equal(rows, want) {
		t.Errorf("rows %v, error %v", rows, err)
	}
	if _, err := readLogFrom(t, p, play("")); !errors.Is(err, ErrNoLog) {
		t.Errorf("without an offset: %v", err)
	}
}
