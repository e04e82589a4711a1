package defect

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// An injection is what makes the chat break a rule. The zero value breaks none.
type injection struct {
	// message changes the fate of the n-th message of a connection, counted from 1.
	message func(n int, f *fate)
	// key replaces a message's key.
	key func(client *socket.Socket, key string) string
	// keysInMemory keeps the keys in memory, so a restart loses them; newestKey keeps only the
	// newest of these; repeatsAreNews broadcasts a message again if its key is already known.
	keysInMemory, newestKey, repeatsAreNews bool
	// offsetOf replaces the offset that a message is emitted with.
	offsetOf func(id int64) int64
	// query selects the replay of a page that reconnects with an offset, or of any page if
	// queryAlways is set. Its parameter is the offset. Empty means rightQuery.
	query       string
	queryAlways bool
	// replay changes the rows that a page with an offset is sent.
	replay func([]row) []row
	// joinsAfter delays the join of a page that reconnects; leavesOut means that it never
	// joins.
	joinsAfter time.Duration
	leavesOut  bool
	// listensTwice attaches a second handler for a page that reconnects.
	listensTwice bool
	// listensAfter is how long a connection has no handler of messages.
	listensAfter time.Duration
	// takes is how long the handler of a message runs. Meanwhile the connection's next messages
	// wait in the library's queue.
	takes time.Duration
	// admittedAfter replays to a page that reconnects in a middleware, which admits the page
	// after this time.
	admittedAfter time.Duration
	// beside adds what the server does besides the chat.
	beside func(*chat)
	// opened is called with the log when the server starts.
	opened func(*messages) error
	// admit is a middleware: it admits or refuses a page by calling next, or leaves it
	// waiting.
	admit func(offset int64, next func(*socket.ExtendedError))
	// follows makes this one of several servers that share the log.
	follows *following
}

// A fate is how one message is handled; usual is the correct one.
type fate struct {
	// rows is how often the message is stored, each time with a new offset. With 0 it still
	// takes an offset, which the log then does not contain.
	rows int
	// broadcasts is how often each of those rows is emitted, with text as its text;
	// notToSender leaves out the sender. stored is the text in the log.
	broadcasts   int
	notToSender  bool
	text, stored string
	// storedAfter acknowledges the message at once, and stores and broadcasts it after this
	// time; untilStored repeats the attempt until it succeeds.
	storedAfter time.Duration
	untilStored bool
	// ignored leaves the message unstored and without an acknowledgement; sameKey gives it the
	// key of the message before it; dies ends the connection when the message is stored, before
	// it is broadcast and acknowledged.
	ignored, sameKey, dies bool
}

func usual(text string) fate { return fate{rows: 1, broadcasts: 1, text: text, stored: text} }

// always applies change to each message, and every applies it to each n-th.
func always(change func(*fate)) func(int, *fate) { return every(1, change) }

func every(n int, change func(*fate)) func(int, *fate) {
	return func(number int, f *fate) {
		if number%n == 0 {
			change(f)
		}
	}
}

// altered changes the text of each message, in the broadcast and in the log.
func altered(change func(string) string) func(int, *fate) {
	return always(func(f *fate) {
		f.text = change(f.text)
		f.stored = f.text
	})
}

// asValue decodes JSON and encodes it again. Go writes the keys of an object in alphabetical
// order.
func asValue(text string) string {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if !strings.HasPrefix(text, "{") || decoder.Decode(&value) != nil {
		return text
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return string(encoded)
}

func twice(rows []row) []row {
	var repeated []row
	for _, r := range rows {
		repeated = append(repeated, r, r)
	}
	return repeated
}

// swapped leaves the last row in place. Otherwise a page that drops nothing would end with an
// older offset and be sent that row again, which breaks another rule first.
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
			if b.beside != nil {
				b.beside(c)
			}
			if b.admittedAfter > 0 {
				server.Use(c.replayFirst)
			}
			if b.admit != nil {
				server.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) { b.admit(offsetOf(client), next) })
			}
			if err := c.startFollowing(); err != nil {
				return err
			}
			return server.On("connection", func(args ...any) { c.connected(args[0].(*socket.Socket)) })
		})
		if err != nil {
			return nil, nil, err
		}
		return handler, closer(func() error { close(closed); return closing.Close() }), nil
	}
}
