// Package defect holds chat servers and pages with a deliberate defect, each with the rule
// that must catch it and the scenario that shows it. They are the harness's negative
// controls: a rule that misses its defect is itself broken, and a rule without a defect is
// not known to catch anything.
//
// Read [Defect] first, then [All]. Most servers are the same small, right chat ([Right], the
// positive control) with one [injection]; most pages are a step's own page with one
// [Change]. chat.go has the chat, inject.go the injections, recovery.go and features.go the
// servers that store nothing and promise connection state recovery, published.go the
// tutorial's code as published. The lists are in delivery.go, sessions.go and pages.go.
//
// A bug that shows now and then in a real server shows here by count, so that a control does
// not depend on chance: "the 4th message" is the 4th, 8th, … that one connection sends. The
// first three messages of a connection are always handled correctly, so that a new reader
// can send a message and read the log. For the same reason a defect of the replay concerns a
// page that reconnects with an offset, not one that begins at 0.
//
// SQLite (mattn/go-sqlite3) stores the log because the steps use it: a control should fail
// as a step would.
//
// defect must not know how it is judged: it imports no network, client or history, and of
// the harness only packages contract and seam. It uses no step, though it names some.
package defect

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
)

// New makes a server's handler, with its data in dir. The options may be nil; they
// are not changed. It serves Socket.IO at /socket.io/ and one line at /, and no
// client bundle. Closing it disconnects everyone and closes the database; the same
// dir can then be opened again, for a restart.
type New func(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error)

// A Defect is a server, or a page, that is broken in one way.
type Defect struct {
	// Name is stable, for reports and for selecting one.
	Name string
	// Sentence says what is wrong.
	Sentence string
	// Source says where it comes from.
	Source string
	// Level is the promise that it breaks.
	Level contract.Level
	// Rule is the one that must catch it, before any other must-rule.
	Rule contract.RuleID
	// Scenario is the row of the catalogue in which it shows.
	Scenario string
	// New makes the server. Nil means the kit's own step, which is right.
	New New
	// Step is the number of that step.
	Step string
	// Page is what differs from the reference page of the level; nil for nothing. A
	// right page drops what is not newer than its offset, and so hides some defects of
	// servers: those have [ShowsAll].
	Page []Change
	// ByTheClock tells that it shows by a race that only a fake clock decides alike each
	// time: it is not for the real lab.
	ByTheClock bool
}

// A Change replaces one piece of a page's text, which it has once, by another.
type Change struct{ Old, New string }

// Apply makes the page with the changes, or says which of them it has no place for.
func Apply(page []byte, changes []Change) ([]byte, error) {
	text := string(page)
	for _, c := range changes {
		if n := strings.Count(text, c.Old); n != 1 {
			return nil, fmt.Errorf("the page has %q %d times, and not once", c.Old, n)
		}
		text = strings.Replace(text, c.Old, c.New, 1)
	}
	return []byte(text), nil
}

// All lists the defects.
var All = slices.Concat(storing, replaying, altering, admitting, published, sessions, pages)

// Find returns the defect of that name.
func Find(name string) (Defect, error) {
	i := slices.IndexFunc(All, func(d Defect) bool { return d.Name == name })
	if i < 0 {
		return Defect{}, fmt.Errorf("there is no defect %q; `redial defects --list` names them all", name)
	}
	return All[i], nil
}
