package defect

import (
	"io"
	"net/http"
	"slices"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// An injection is the seams at which the chat can be made to go wrong. A seam that is nil
// goes right.
type injection struct {
	// message decides what becomes of the n-th message of a connection, from 1.
	message func(n int, f *fate)
	// replay changes the rows that a page is sent that comes back with an offset.
	replay func([]row) []row
	// admit answers a page that connects with this offset, by calling next or not.
	admit func(offset int64, next func(*socket.ExtendedError))
}

// A fate is what becomes of a message; see usual for a right one.
type fate struct {
	// rows is how often it is stored, each with an offset of its own. With 0 it
	// takes an offset all the same, which the log then does not have.
	rows int
	// broadcast tells whether everyone is sent it, with text as its text.
	broadcast bool
	text      string
}

func usual(text string) fate { return fate{rows: 1, broadcast: true, text: text} }

// every changes each n-th message.
func every(n int, change func(*fate)) func(int, *fate) {
	return func(number int, f *fate) {
		if number%n == 0 {
			change(f)
		}
	}
}

func twice(rows []row) []row {
	var repeated []row
	for _, r := range rows {
		repeated = append(repeated, r, r)
	}
	return repeated
}

// swapped leaves the last row where it is: else a page that drops nothing would end
// with an older offset, be sent that row again, and break another rule first.
func swapped(rows []row) []row {
	if len(rows) < 3 {
		return rows
	}
	exchanged := slices.Clone(rows)
	exchanged[0], exchanged[1] = exchanged[1], exchanged[0]
	return exchanged
}

func withoutFirst(rows []row) []row { return rows[min(1, len(rows)):] }

// injected makes a chat with the injection.
func injected(b injection) New {
	return func(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
		return serve(dir, options, func(server *socket.Server, log *messages) {
			c := &chat{server: server, log: log, injection: b}
			if b.admit != nil {
				server.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) { b.admit(offsetOf(client), next) })
			}
			_ = server.On("connection", func(args ...any) { c.connected(args[0].(*socket.Socket)) })
		})
	}
}
