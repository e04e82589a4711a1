package defect

import (
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// An injection is what makes the chat go wrong. The zero value goes right.
type injection struct {
	// message decides what becomes of the n-th message of a connection, from 1.
	message func(n int, f *fate)
	// key changes a message's key.
	key func(client *socket.Socket, key string) string
	// keysInMemory has the keys forgotten when the server ends; repeatsAreNews has a
	// message emitted again whose key is known.
	keysInMemory, repeatsAreNews bool
	// offsetOf changes the offset that a message is emitted with.
	offsetOf func(id int64) int64
	// query is what is selected for a page that comes back with an offset, which is its
	// parameter, or with queryAlways for any page. Empty means rightQuery.
	query       string
	queryAlways bool
	// replay changes the rows that a page is sent that comes back with an offset.
	replay func([]row) []row
	// greeting is a chat message to each page that connects, which nobody has said.
	greeting string
	// joinsAfter is how long after its replay a page that comes back is sent what is new;
	// leavesOut has it never be.
	joinsAfter time.Duration
	leavesOut  bool
	// listensTwice has a page that comes back be heard by two handlers.
	listensTwice bool
	// opened is called with the log when the server starts.
	opened func(*messages) error
	// admit answers a page that connects with this offset, by calling next or not.
	admit func(offset int64, next func(*socket.ExtendedError))
}

// A fate is what becomes of a message; see usual for a right one.
type fate struct {
	// rows is how often it is stored, each with an offset of its own. With 0 it
	// takes an offset all the same, which the log then does not have.
	rows int
	// broadcasts is how often everyone is sent it for each of them, with text as its
	// text; notToSender leaves out who said it. stored is the text in the log.
	broadcasts   int
	notToSender  bool
	text, stored string
	// storedAfter has it be acknowledged at once, and stored and broadcast after this
	// time; untilStored has that be tried until it is done.
	storedAfter time.Duration
	untilStored bool
	// ignored leaves it unstored and unanswered; sameKey gives it the key of the message
	// before it.
	ignored, sameKey bool
}

func usual(text string) fate { return fate{rows: 1, broadcasts: 1, text: text, stored: text} }

// always changes each message, every each n-th.
func always(change func(*fate)) func(int, *fate) { return every(1, change) }

func every(n int, change func(*fate)) func(int, *fate) {
	return func(number int, f *fate) {
		if number%n == 0 {
			change(f)
		}
	}
}

// altered changes the text of each message, in the log too.
func altered(change func(string) string) func(int, *fate) {
	return always(func(f *fate) {
		f.text = change(f.text)
		f.stored = f.text
	})
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

func withoutLast(rows []row) []row { return rows[:max(0, len(rows)-1)] }

func lastTwice(rows []row) []row { return append(slices.Clone(rows), rows[max(0, len(rows)-1):]...) }

// injected makes a chat with the injection.
func injected(b injection) New {
	return func(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
		closed := make(chan struct{})
		handler, closing, err := serve(dir, options, func(server *socket.Server, log *messages) error {
			c := &chat{server: server, log: log, injection: b, closed: closed, known: map[string]int64{}}
			if b.opened != nil {
				if err := b.opened(log); err != nil {
					return err
				}
			}
			if b.admit != nil {
				server.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) { b.admit(offsetOf(client), next) })
			}
			return server.On("connection", func(args ...any) { c.connected(args[0].(*socket.Socket)) })
		})
		if err != nil {
			return nil, nil, err
		}
		return handler, closer(func() error { close(closed); return closing.Close() }), nil
	}
}
