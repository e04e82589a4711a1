// Package defect holds chat servers and pages with one deliberate defect each, together with
// the rule that must catch it and the scenario that shows it. They are the negative controls
// of the harness: a rule that misses its defect is itself broken, and a rule without a defect
// is not known to catch anything.
//
// Read [Defect] first, then [All]. Most servers are the same small, correct chat ([Right], the
// positive control) with one [injection]; most broken pages are a step's own page with one
// [Change]. chat.go has the chat and inject.go the injections. recovery.go and features.go
// have the servers that store nothing and promise connection state recovery, and published.go
// has the tutorial's code as published. The lists are in delivery.go, sessions.go,
// pages.go and cluster.go.
//
// A bug that occurs now and then in a real server occurs here by count, so that a control does
// not depend on chance: "the 4th message" is the 4th, 8th, … that one connection sends. The
// first three messages of a connection are always handled correctly, so that a new reader can
// send a message and read the log. For the same reason a defect of the replay affects only a
// page that reconnects with an offset, and not one that begins at 0.
//
// SQLite (mattn/go-sqlite3) stores the log because the steps use it: a control should fail as
// a step would.
//
// This package must not know how a defect is judged: it imports no network, client or history,
// and of the harness only packages contract and seam. It imports no step, though it names
// some.
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

// New makes a server's handler, with its data in dir. The options may be nil, and they are not
// changed. The handler serves Socket.IO at /socket.io/ and one line of text at /, and no
// client bundle. Close disconnects every client and closes the database; the same dir can then
// be opened again, which is how a restart is played.
type New func(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error)

// A Defect is a server, or a page, that is broken in one way.
type Defect struct {
	// Name is stable: reports print it, and a user selects a defect by it.
	Name string
	// Sentence describes the defect.
	Sentence string
	// Source names the real code in which the defect was found, or the habit that leads to it.
	Source string
	// Level is the promise that the defect breaks.
	Level contract.Level
	// Rule is the must-rule that has to report the defect before any other does.
	Rule contract.RuleID
	// Scenario is the row of the catalogue in which the defect shows.
	Scenario string
	// New makes the server. Nil means the kit's own step, which has no defect.
	New New
	// Step is the number of that step.
	Step string
	// Page lists the changes to the level's reference page; nil means none. The reference page
	// drops messages that are not newer than its offset, and so hides some defects of servers:
	// those have [ShowsAll].
	Page []Change
	// VirtualOnly marks a defect whose rule does not come first in every run of the real lab:
	// one that shows by a race, which only a fake clock decides the same way each time, or whose
	// run the real lab gives up.
	VirtualOnly bool
	// Cluster marks a server that runs as two processes, in the real lab only.
	Cluster bool
}

// A Change replaces one piece of a page's text, which must occur exactly once.
type Change struct{ Old, New string }

// Apply returns the page with the changes. It fails if a change does not match exactly once,
// so that an edit of the page cannot silently remove a defect.
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

// All lists every defect.
var All = slices.Concat(storing, replaying, altering, admitting, published, sessions, pages, clusters)

// Find returns the defect of that name.
func Find(name string) (Defect, error) {
	i := slices.IndexFunc(All, func(d Defect) bool { return d.Name == name })
	if i < 0 {
		return Defect{}, fmt.Errorf("there is no defect %q; `redial defects --list` names them all", name)
	}
	return All[i], nil
}
