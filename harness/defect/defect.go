// Package defect holds chat servers and pages that are broken on purpose, each with
// the rule that must catch it. They are the harness's negative controls: a rule
// that lets its defect pass is itself broken.
//
// Read [Servers] and [Pages] first. Every server but one is the same small, right
// chat ([Right], the positive control) with one [injection]; "published" is another
// chat, with the behaviour of the tutorial as it is published. inject.go has the
// seams, chat.go the chat, pages/ the pages.
//
// Beside them are servers that keep nothing and promise connection state recovery, for
// rows of the catalogue: [PublishedRecovery] and what is wrong with it in its own way
// ([UsesUp], [OwnOffset]), [SlowHandshake], and [Features], which does what no step does.
//
// What goes wrong only now and then in real servers goes wrong here by count, so
// that a control does not depend on luck: "the 4th message" is the 4th, 8th, … that
// one connection sends. The first three of a connection are always handled well, so
// that a fresh reader can say something and read the log. What goes wrong at a
// replay does so for a page that comes back with an offset and not for one that
// begins at 0, for the same reason.
//
// SQLite (mattn/go-sqlite3) keeps the log because the steps do: a control should
// fail as a step would.
//
// defect must not know how it is judged: no networks, clients or histories; of the
// harness only packages contract and seam. It uses no step.
package defect

import (
	"io"
	"net/http"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
)

// New makes a server's handler, with its data in dir. The options may be nil; they
// are not changed. It serves Socket.IO at /socket.io/ and one line at /, and no
// client bundle. Closing it disconnects everyone and closes the database; the same
// dir can then be opened again, for a restart.
type New func(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error)

// A Server is broken in one way.
type Server struct {
	// Name is stable, for reports and for selecting one.
	Name string
	// Story says what is wrong and what has to happen for it to show.
	Story string
	// Rule is the one that must catch it, before any other must-rule.
	Rule contract.RuleID
	// Page is the page that it must be judged with; nil is any right page. A right
	// page drops what is not newer than its offset, and so hides some defects.
	Page []byte
	New  New
}

// A BrokenPage is a page that is broken in one way.
type BrokenPage struct {
	Name  string
	Story string
	Rule  contract.RuleID
	HTML  []byte
	// New makes the server that it must be judged with.
	New New
}

// Servers are the broken servers. All promise level server-delivery.
var Servers = []Server{
	{
		Name:  "drops",
		Story: "Stores every 10th message of a connection, acknowledges it, and does not broadcast it. Needs ten messages on one connection, and another after them.",
		Rule:  contract.NoLoss,
		New:   injected(injection{message: every(10, func(f *fate) { f.broadcast = false })}),
	},
	{
		Name:  "repeats",
		Story: "Sends each row twice to a page that comes back. Needs a page that misses a message.",
		Rule:  contract.NoDuplicate,
		Page:  Page,
		New:   injected(injection{replay: twice}),
	},
	{
		Name:  "swaps",
		Story: "Sends the first two rows in the wrong order to a page that comes back. Needs a page that misses three messages or more.",
		Rule:  contract.Order,
		Page:  Page,
		New:   injected(injection{replay: swapped}),
	},
	{
		Name:  "swaps, right page",
		Story: "The same, with a page that drops what is not newer: so it loses the message that comes late.",
		Rule:  contract.NoLoss,
		New:   injected(injection{replay: swapped}),
	},
	{
		Name:  "forgets",
		Story: "Acknowledges every 4th message of a connection, and neither stores nor broadcasts it. Needs four messages on one connection, from a page that asks for acknowledgements.",
		Rule:  contract.Sends,
		New:   injected(injection{message: every(4, func(f *fate) { f.rows, f.broadcast = 0, false })}),
	},
	{
		Name:  "skips",
		Story: "Replays from the wrong offset: a page that comes back never gets the first row that it missed. Needs a page that misses a message.",
		Rule:  contract.NoLoss,
		New:   injected(injection{replay: withoutFirst}),
	},
	{
		Name:  "does not store",
		Story: "Broadcasts every 4th message of a connection and does not store it. Needs four messages on one connection. The page asks for no acknowledgement: with one it would be another rule's.",
		Rule:  contract.Agreement,
		Page:  PageWithoutAcknowledgements,
		New:   injected(injection{message: every(4, func(f *fate) { f.rows = 0 })}),
	},
	{
		Name:  "alters",
		Story: "Broadcasts every 4th message of a connection with a full stop behind it; the log has it as it was sent. Needs four messages on one connection.",
		Rule:  contract.NoPhantom,
		New:   injected(injection{message: every(4, func(f *fate) { f.text += "." })}),
	},
	{
		Name:  "refuses",
		Story: "Refuses every page that comes back with an offset, for ever. Needs a page that was shown a message and loses its connection.",
		Rule:  contract.Convergence,
		New: injected(injection{admit: func(offset int64, next func(*socket.ExtendedError)) {
			if offset > 0 {
				next(socket.NewExtendedError("come back another day", nil))
				return
			}
			next(nil)
		}}),
	},
	{
		Name:  "never answers",
		Story: "Takes the connection of a page that comes back with an offset and never answers its connect packet. Needs what refuses needs.",
		Rule:  contract.Convergence,
		New: injected(injection{admit: func(offset int64, next func(*socket.ExtendedError)) {
			if offset == 0 {
				next(nil)
			}
		}}),
	},
	{
		Name:  "stores twice",
		Story: "Stores and broadcasts every 4th message of a connection twice. Needs four messages on one connection.",
		Rule:  contract.Sends,
		New:   injected(injection{message: every(4, func(f *fate) { f.rows = 2 })}),
	},
	{
		Name:  "published",
		Story: "Behaves as the published tutorial at step 7: a page that connects between INSERT and emit gets the message from both. The delays make that gap wide. Needs traffic while a page comes back. Messages can be lost and reordered as well.",
		Rule:  contract.NoDuplicate,
		Page:  Page,
		New:   Published(DefaultDelays),
	},
}

// Pages are the broken pages.
var Pages = []BrokenPage{
	{
		Name:  "drops nothing",
		Story: "Shows whatever it is given, as the published page does, and so shows what a server repeats. Needs a page that misses a message.",
		Rule:  contract.NoDuplicate,
		HTML:  Page,
		New:   injected(injection{replay: twice}),
	},
	{
		Name:  "moves ahead",
		Story: "Moves its offset when a message comes and shows it up to 300 ms later; when it loses the connection it forgets what it has not shown yet, and never asks for it again. Needs a cut while messages come in at least every 100 ms.",
		Rule:  contract.NoLoss,
		HTML:  pageAhead,
		New:   Right,
	},
	{
		Name:  "forgets its offset",
		Story: "Connects with offset 0 each time, and so is sent and shows everything again. Needs a page that was shown a message and comes back.",
		Rule:  contract.NoDuplicate,
		HTML:  pageForgetful,
		New:   Right,
	},
	{
		Name:  "keeps its offset",
		Story: "Keeps its offset in localStorage and its list nowhere, so after a refresh it never shows what came before. Needs a refresh after a message was shown.",
		Rule:  contract.NoLoss,
		HTML:  pageWithPersistentOffset,
		New:   Right,
	},
}
