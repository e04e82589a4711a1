package defect

import (
	"html"
	"strings"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
)

// slip is the source of a defect that nobody has published: it is invented, from what is easy
// to get wrong.
const slip = "an easy slip"

// storing lists servers that store or broadcast wrongly.
var storing = []Defect{
	{
		Name: "drops", Sentence: "It stores every 4th message of a connection, acknowledges it, and does not broadcast it.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "burst",
		New: injected(injection{message: every(4, func(f *fate) { f.broadcasts = 0 })}),
	},
	{
		Name: "forgets", Sentence: "It acknowledges every 4th message of a connection, and neither stores nor broadcasts it.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "burst",
		New: injected(injection{message: every(4, func(f *fate) { f.rows, f.broadcasts = 0, 0 })}),
	},
	{
		Name: "rolls-back", Sentence: "It broadcasts and acknowledges every 4th message of a connection, and then rolls the transaction back.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "burst",
		New: injected(injection{message: every(4, func(f *fate) { f.rows = 0 })}),
	},
	{
		Name: "does-not-store", Sentence: "It broadcasts every 4th message of a connection and does not store it, and the page asks for no acknowledgement.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.Agreement, Scenario: "burst",
		New:  injected(injection{message: every(4, func(f *fate) { f.rows = 0 })}),
		Page: asksForNothing,
	},
	{
		Name: "stores-twice", Sentence: "It stores and broadcasts every 4th message of a connection twice.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "burst",
		New: injected(injection{message: every(4, func(f *fate) { f.rows = 2 })}),
	},
	{
		Name: "broadcasts-twice", Sentence: "It emits every 4th message of a connection twice, with one offset.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "burst",
		New:  injected(injection{message: every(4, func(f *fate) { f.broadcasts = 2 })}),
		Page: ShowsAll,
	},
	{
		Name: "not-to-sender", Sentence: "It emits to everyone but who said it (socket.broadcast), and the page shows only what it is sent.",
		Source: "socket.io's documentation of socket.broadcast.emit", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "clean-drop",
		New: injected(injection{message: always(func(f *fate) { f.notToSender = true })}),
	},
	{
		Name: "acknowledges-first", Sentence: "It acknowledges a message at once and stores it 50 ms later.",
		Source: "a write-behind cache", Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "killed-at-acknowledgement",
		New: injected(injection{message: always(func(f *fate) { f.storedAfter = 50 * time.Millisecond })}),
	},
	{
		Name: "acknowledges-first-and-tries-on", Sentence: "It acknowledges a message at once, and from a second later on tries to store it until it can.",
		Source: "a queue in memory before the database", Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "killed-at-acknowledgement",
		New: injected(injection{message: always(func(f *fate) { f.storedAfter, f.untilStored = time.Second, true })}),
	},
	{
		Name: "gives-up-on-locked", Sentence: "It acknowledges a message, tries once to store it 50 ms later, and gives up when the database is locked.",
		Source: "a write-behind cache", Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "slow-database",
		New: injected(injection{message: always(func(f *fate) { f.storedAfter = 50 * time.Millisecond })}),
	},
	{
		Name: "no-unique", Sentence: "It does not look at the key, and stores what is sent again once more.",
		Source: "the tutorial, step 7 (before the UNIQUE column of step 8)", Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "acknowledgement-cut",
		New: injected(injection{key: func(*socket.Socket, string) string { return "" }}),
	},
	{
		Name: "key-of-connection", Sentence: "It knows a key again only on the connection on which it came first.",
		Source: "the tutorial, step 8, which makes the key of socket.id", Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "acknowledgement-cut",
		New: injected(injection{key: func(client *socket.Socket, key string) string { return string(client.Id()) + key }}),
	},
	{
		Name: "keys-in-memory", Sentence: "It remembers the keys in memory, and knows none of them after a restart.",
		Source: slip, Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "killed-at-acknowledgement",
		New: injected(injection{keysInMemory: true}),
	},
	{
		Name: "newest-key", Sentence: "It remembers the key of the newest message only.",
		Source: slip, Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "acknowledgement-cut",
		New: injected(injection{keysInMemory: true, newestKey: true}),
	},
	{
		Name: "keys-collide", Sentence: "Every 4th message of a connection has the key of the one before it, is acknowledged, and not stored.",
		Source: "a key made of the clock", Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "burst",
		New: injected(injection{message: every(4, func(f *fate) { f.sameKey = true })}),
	},
	{
		Name: "repeats-are-news", Sentence: "It broadcasts a message again that a page sends again, with its offset.",
		Source: slip, Level: contract.ClientDelivery, Rule: contract.NoDuplicate, Scenario: "acknowledgement-cut",
		New:  injected(injection{repeatsAreNews: true}),
		Page: ShowsAll,
	},
	{
		Name: "limits-rate", Sentence: "From the 21st message of a connection on it drops what is said without a word, against floods.",
		Source: "a rate limiter without an answer", Level: contract.ClientDelivery, Rule: contract.NoLoss, Scenario: "burst",
		New: injected(injection{message: func(n int, f *fate) { f.ignored = n > 20 }}),
	},
	{
		Name: "dies-before-emit", Sentence: "What serves a page dies between INSERT and emit, once in 50 messages; the retry is a known key and acknowledged, and no other page is sent the message.",
		Source: "the tutorial, step 9 (there a server of several dies)", Level: contract.ClientDelivery, Rule: contract.NoLoss, Scenario: "burst",
		New: injected(injection{message: every(50, func(f *fate) { f.dies = true })}),
	},
	{
		Name: "drops-what-waits", Sentence: "It takes 5 ms for a message, and when the page disconnects it drops those that wait; the page asks for no second try.",
		Source: "zishang520/socket.io 3.0.2, with the tutorial's page of step 7", Level: contract.ClientDelivery, Rule: contract.NoLoss, Scenario: "burst-then-disconnect",
		New: injected(injection{takes: 5 * time.Millisecond}), Page: noRetries,
	},
	{
		Name: "in-memory", Sentence: "Its log is emptied at each start, as if it were in memory, and ids begin again.",
		Source: "the database :memory:", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "server-killed",
		New: injected(injection{opened: func(m *messages) error {
			_, err := m.db.Exec("DELETE FROM messages; DELETE FROM sqlite_sequence")
			return err
		}}),
	},
	{
		Name: "keeps-the-newest", Sentence: "At each start it deletes all but the newest two messages.",
		Source: "a clean-up that runs at start", Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "payloads-restart",
		New: injected(injection{opened: func(m *messages) error {
			_, err := m.db.Exec("DELETE FROM messages WHERE id <= (SELECT MAX(id) FROM messages) - 2")
			return err
		}}),
	},
	{
		Name: "listens-late", Sentence: "It looks something up, for 50 ms, before it attaches its handler to a page that connects.",
		Source: "an await before socket.on in the listener of connection", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "write-offline",
		New: injected(injection{listensAfter: 50 * time.Millisecond}),
	},
	{
		Name: "listens-twice", Sentence: "It attaches its handler twice to a page that comes back.",
		Source: "handlers in the listener of reconnect", Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "write-offline",
		New: injected(injection{listensTwice: true}),
	},
}

// replaying lists servers whose replay differs from the messages that the page missed.
var replaying = []Defect{
	{
		Name: "repeats", Sentence: "It sends each row twice to a page that comes back.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "clean-drop",
		New: injected(injection{replay: twice}), Page: ShowsAll,
	},
	{
		Name: "last-twice", Sentence: "It sends the last row twice to a page that comes back.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "clean-drop",
		New: injected(injection{replay: lastTwice}), Page: ShowsAll,
	},
	{
		Name: "from-the-offset-on", Sentence: "It replays with >= in place of >, so the last message comes again.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "clean-drop",
		New: injected(injection{query: "SELECT id, text FROM messages WHERE id >= ? ORDER BY id"}), Page: ShowsAll,
	},
	{
		Name: "from-the-offset-on-right-page", Sentence: "The same, with a page that drops what is not newer: so nobody sees it, and it is a should.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoRepeat, Scenario: "clean-drop",
		New: injected(injection{query: "SELECT id, text FROM messages WHERE id >= ? ORDER BY id"}),
	},
	{
		Name: "skips", Sentence: "It replays from one behind the offset, so the first row that a page missed never comes.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "clean-drop",
		New: injected(injection{replay: withoutFirst}),
	},
	{
		Name: "skips-last", Sentence: "It replays up to the newest row and not with it.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "clean-drop",
		New: injected(injection{replay: withoutLast}),
	},
	{
		Name: "swaps", Sentence: "It sends the first two rows in the wrong order to a page that comes back.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.Order, Scenario: "clean-drop",
		New: injected(injection{replay: swapped}), Page: ShowsAll,
	},
	{
		Name: "swaps-right-page", Sentence: "The same, with a page that drops what is not newer: so it loses the message that comes late.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "clean-drop",
		New: injected(injection{replay: swapped}),
	},
	{
		Name: "newest-first", Sentence: "It replays from the newest to the oldest.",
		Source: "ORDER BY id DESC, of a page that scrolls upwards", Level: contract.ServerDelivery, Rule: contract.Order, Scenario: "clean-drop",
		New: injected(injection{query: "SELECT id, text FROM messages WHERE id > ? ORDER BY id DESC"}), Page: ShowsAll,
	},
	{
		Name: "sorts-as-text", Sentence: "It sorts ids as text, so 10 comes before 9.",
		Source: "an id in a TEXT column", Level: contract.ServerDelivery, Rule: contract.Order, Scenario: "refresh",
		// The newest row stays in place, as the log ends there.
		New: injected(injection{query: "SELECT id, text FROM messages WHERE id > ? ORDER BY id = (SELECT max(id) FROM messages), CAST(id AS TEXT)", queryAlways: true}), Page: ShowsAll,
	},
	{
		Name: "compares-as-text", Sentence: "It compares ids with the offset as text, so 10 is not behind 9.",
		Source: "an id in a TEXT column", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "five-drops",
		New: injected(injection{query: "SELECT id, text FROM messages WHERE CAST(id AS TEXT) > CAST(? AS TEXT) ORDER BY id"}),
	},
	{
		Name: "one-page", Sentence: "It replays one page of two rows and never asks for the next.",
		Source: "a LIMIT without a loop", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "clean-drop",
		New: injected(injection{query: "SELECT id, text FROM messages WHERE id > ? ORDER BY id LIMIT 2"}),
	},
	{
		Name: "pages-overlap", Sentence: "It replays in pages of two, each of which begins with the last row of the one before.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "clean-drop",
		New: injected(injection{replay: pagesOf(2, 1)}), Page: ShowsAll,
	},
	{
		Name: "pages-gap", Sentence: "It replays in pages of two, and leaves out the row between two pages.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "clean-drop",
		New: injected(injection{replay: pagesOf(2, -1)}),
	},
	{
		Name: "history-of-50", Sentence: "It sends no more than the newest 50 messages.",
		Source: "a history with a LIMIT", Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "long-history",
		New: injected(injection{query: newest("50"), queryAlways: true}),
	},
	{
		Name: "history-of-100", Sentence: "It sends no more than the newest 100 messages.",
		Source: "a history with a LIMIT", Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "long-history",
		New: injected(injection{query: newest("100"), queryAlways: true}),
	},
	{
		Name: "history-of-1000", Sentence: "It sends no more than the newest 1,000 messages.",
		Source: "a history with a LIMIT", Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "long-history",
		New: injected(injection{query: newest("1000"), queryAlways: true}),
	},
	{
		Name: "sent-to-one", Sentence: "It notes in the log what was replayed, and replays it to nobody else.",
		Source: "a column delivered for each message, not for each page", Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "load-under-traffic",
		New: injected(injection{
			opened: func(m *messages) error {
				_, err := m.db.Exec("ALTER TABLE messages ADD COLUMN sent INTEGER")
				return err
			},
			query: "UPDATE messages SET sent = 1 WHERE sent IS NULL AND id > ? RETURNING id, text", queryAlways: true,
		}),
	},
	{
		Name: "forgets-after-restart", Sentence: "After a restart it replays only what was said since: two faults have to meet.",
		Source: "a cache of recent messages that is not filled at start", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "drop-then-restart",
		New: injected(injection{
			opened: func(m *messages) error {
				_, err := m.db.Exec("CREATE TEMP TABLE start AS SELECT COALESCE(MAX(id), 0) AS id FROM messages")
				return err
			},
			query: "SELECT id, text FROM messages WHERE id > MAX(?, (SELECT id FROM temp.start)) ORDER BY id",
		}),
	},
	{
		Name: "snowflake-ids", Sentence: "Its offsets are numbers over 2^53, so a page takes two neighbours for one.",
		Source: "snowflake ids sent as JSON numbers", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "burst",
		New: injected(injection{offsetOf: func(id int64) int64 { return 1<<53 + id }}),
	},
	{
		Name: "time-as-offset", Sentence: "It takes the second for an offset, and two messages of one second have the same.",
		Source: "created_at > ? in place of an id", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "burst",
		New: injected(injection{offsetOf: func(int64) int64 { return time.Now().Unix() }}),
	},
}

// altering lists servers that change messages, or emit messages that no client sent.
var altering = []Defect{
	{
		Name: "alters", Sentence: "It broadcasts every 4th message of a connection with a full stop behind it; the log has it as it was sent.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "burst",
		New: injected(injection{message: every(4, func(f *fate) { f.text += "." })}),
	},
	{
		Name: "trims", Sentence: "It removes white space around a text.",
		Source: "a validation library's trim", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "texts",
		New: injected(injection{message: altered(strings.TrimSpace)}),
	},
	{
		Name: "escapes", Sentence: "It escapes a text for HTML and stores that; the page shows it as text.",
		Source: "escaping on the way in", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "texts",
		New: injected(injection{message: altered(html.EscapeString)}),
	},
	{
		Name: "normalises", Sentence: "It normalises Unicode, so a decomposed letter becomes another text.",
		Source: "NFC at the database", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "texts",
		New: injected(injection{message: altered(func(text string) string { return strings.ReplaceAll(text, "e\u0301", "\u00e9") })}),
	},
	{
		Name: "cuts-at-nul", Sentence: "It ends a text at its first NUL.",
		Source: "a string that ends with a zero byte, as in C", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "texts",
		New: injected(injection{message: altered(func(text string) string { before, _, _ := strings.Cut(text, "\x00"); return before })}),
	},
	{
		Name: "no-emoji", Sentence: "It drops characters of four bytes.",
		Source: "MySQL's utf8, which has three bytes a character", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "texts",
		New: injected(injection{message: altered(func(text string) string {
			return strings.Map(func(r rune) rune {
				if r > 0xffff {
					return -1
				}
				return r
			}, text)
		})}),
	},
	{
		Name: "varchar-4000", Sentence: "It keeps the first 4,000 bytes of a text.",
		Source: "VARCHAR(4000)", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "texts",
		New: injected(injection{message: altered(func(text string) string { return text[:min(len(text), 4000)] })}),
	},
	{
		Name: "varchar-255", Sentence: "It keeps the first 255 bytes of a text.",
		Source: "VARCHAR(255)", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "texts",
		New: injected(injection{message: altered(func(text string) string { return text[:min(len(text), 255)] })}),
	},
	{
		Name: "other-room", Sentence: "It emits only to a room what is said to that room, and replays it to every page.",
		Source: "a replay without the room in its query", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "clean-drop",
		New: injected(injection{beside: func(c *chat) {
			_ = c.server.On("connection", func(args ...any) {
				_ = args[0].(*socket.Socket).On("to staff", func(args ...any) {
					text := args[0].(string)
					if id, err := c.log.insert(text, "", true); err == nil {
						_ = c.server.To("staff").Emit(contract.ChatEvent, text, id)
					}
				})
			})
		}}),
		Page: onConnect(`socket.emit("to staff", "for the staff only");`),
	},
	{
		Name: "other-namespace", Sentence: "It has the same handler in another namespace, which stores and emits in this one what is said there.",
		Source: "io.emit in the handler of a namespace", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "clean-drop",
		New: injected(injection{beside: func(c *chat) {
			_ = c.server.Of("/staff", nil).On("connection", func(args ...any) { c.connected(args[0].(*socket.Socket)) })
		}}),
		Page: onConnect(`socket.io.socket("/staff").emit("chat message", "for the staff only");`),
	},
}

// admitting lists servers that refuse a page that reconnects, or admit it only partly.
var admitting = []Defect{
	{
		Name: "refuses", Sentence: "It refuses every page that comes back with an offset, for ever.",
		Source: "a token that is good for one connection", Level: contract.ServerDelivery, Rule: contract.Convergence, Scenario: "clean-drop",
		New: injected(injection{admit: func(offset int64, next func(*socket.ExtendedError)) {
			if offset > 0 {
				next(socket.NewExtendedError("come back another day", nil))
				return
			}
			next(nil)
		}}),
	},
	{
		Name: "never-answers", Sentence: "It takes the connection of a page that comes back with an offset and never answers its connect packet.",
		Source: "a middleware that does not call next", Level: contract.ServerDelivery, Rule: contract.Convergence, Scenario: "clean-drop",
		New: injected(injection{admit: func(offset int64, next func(*socket.ExtendedError)) {
			if offset == 0 {
				next(nil)
			}
		}}),
	},
	{
		Name: "leaves-out", Sentence: "It sends a page that comes back what it missed, and nothing after that.",
		Source: "a room that is joined only the first time", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "five-drops",
		New: injected(injection{leavesOut: true}),
	},
	{
		Name: "joins-late", Sentence: "It lets a page that comes back into the room 30 ms after its replay, without a lock.",
		Source: "an await between the query and socket.join", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "drops-under-traffic",
		New: injected(injection{joinsAfter: 30 * time.Millisecond}),
	},
	{
		Name: "replays-before-admission", Sentence: "It replays to a page that comes back and lets it join in a middleware, 100 ms before the middleware lets the page in; what is said meanwhile never comes.",
		Source: "a middleware that looks up the user after the history", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "drops-under-traffic",
		New: injected(injection{admittedAfter: 100 * time.Millisecond}),
	},
}

// newest selects the newest n rows after the offset, in order.
func newest(n string) string {
	return "SELECT * FROM (SELECT id, text FROM messages WHERE id > ? ORDER BY id DESC LIMIT " + n + ") ORDER BY id"
}

// pagesOf replays rows in pages of size. A positive overlap repeats rows, a negative one
// leaves rows out.
func pagesOf(size, overlap int) func([]row) []row {
	return func(rows []row) (sent []row) {
		for from := 0; from < len(rows); from += size - overlap {
			sent = append(sent, rows[from:min(from+size, len(rows))]...)
		}
		return sent
	}
}
