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
)

// readLogFrom reads the log of a scripted server, within a virtual minute.
func readLogFrom(t *testing.T, play func(t *testing.T, m *memory)) (rows []Row, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		done := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() {
			defer close(done)
			rows, err = ReadLog(ctx, client.Options{URL: "http://chat.test", Dial: m.dial}, "end")
		}()
		play(t, m)
		<-done
	})
	return rows, err
}

// asked takes a connection of the first client as far as the sentinel.
func asked(t *testing.T, m *memory, rows ...string) *peer {
	t.Helper()
	p := m.connected(t, `40{"sid":"s1"}`)
	for _, row := range rows {
		p.send(row)
	}
	p.expect(`420["chat message","end"]`)
	return p
}

func TestReadLogOfAServerWithoutALog(t *testing.T) {
	rows, err := readLogFrom(t, func(t *testing.T, m *memory) {
		p := asked(t, m)
		p.send(`42["chat message","said meanwhile"]`)
		p.send(`42["chat message","end"]`) // no offset
		p.expect("close")
	})
	if !errors.Is(err, ErrNoLog) || len(rows) != 0 {
		t.Errorf("rows %v, error %v", rows, err)
	}
}

func TestReadLogDropsNothing(t *testing.T) {
	rows, err := readLogFrom(t, func(t *testing.T, m *memory) {
		p := asked(t, m, `42["chat message","two",2]`)
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

func TestReadLogFails(t *testing.T) {
	for want, play := range map[string]func(t *testing.T, m *memory){
		"reading the log: the server refused the message that marks its end: not that": func(t *testing.T, m *memory) {
			p := asked(t, m)
			p.send(`430[{"error":"not that"}]`)
			p.expect("close")
		},
		"reading the log: the connection ended after 1 rows: transport close": func(t *testing.T, m *memory) {
			asked(t, m, `42["chat message","one",1]`).conn.Close()
		},
		"reading the log: the message that marks the end of the log did not come back (context deadline exceeded; 1 rows so far)": func(t *testing.T, m *memory) {
			p := asked(t, m, `42["chat message","one",1]`)
			time.Sleep(30 * time.Second)
			p.send("2")
			p.expect("3", "close")
		},
		"reading the log: the message that marks the end of the log was accepted but did not come back (context deadline exceeded; 0 rows so far)": func(t *testing.T, m *memory) {
			p := asked(t, m)
			p.send("430[]")
			time.Sleep(30 * time.Second)
			p.send("2")
			p.expect("3", "close")
		},
		"reading the log: the server was not reached (context deadline exceeded; 0 rows so far)": func(t *testing.T, m *memory) {
			m.setDown(true)
		},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := readLogFrom(t, play)
			if err == nil || err.Error() != want {
				t.Errorf("error %v\n want %s", err, want)
			}
			if late := strings.Contains(want, "deadline"); late != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("is it for the deadline? %v; want %v", !late, late)
			}
		})
	}
}
