// Package inprocess makes the kit's servers inside this process, for the virtual lab: the
// steps, the tutorial's code as published, and servers with a deliberate defect.
//
// Read [Find] first. [Lesson] and [Defect] are the two kinds of server that it finds.
//
// inprocess starts no process and must import nothing that does (package servers does that),
// because package labpage also uses it in WebAssembly.
package inprocess

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/seam"
	"redial/steps/lessons"
)

// A Server is one that the virtual lab can play on.
type Server struct {
	// Name is how it is asked for: "7", "published-6", "broken:NAME".
	Name string
	// Level is the promise that it makes.
	Level contract.Level
	// Handler makes it for a run.
	Handler func(plan.Tuning) lab.Handler
	// HTML is the page to use with it; empty for its own.
	HTML []byte
	// OwnRecovery is lab.Config's.
	OwnRecovery bool
	// Keeps is how long it keeps a session by default; 0 for one that keeps none.
	Keeps time.Duration
}

// Config is how its runs are played.
func (s Server) Config() lab.Config {
	return lab.Config{
		Level: s.Level, KeepsLog: s.Level.AtLeast(contract.ServerDelivery), Keys: s.Level.AtLeast(contract.ClientDelivery),
		OwnRecovery: s.OwnRecovery, HTML: s.HTML, Bundle: lessons.FetchBundle,
	}
}

// Levels says what each step promises.
var Levels = map[string]contract.Level{
	"3": contract.Basic, "4": contract.Basic, "5": contract.Basic,
	"6": contract.Recovery, "7": contract.ServerDelivery,
	"8": contract.ClientDelivery, "9": contract.ClientDelivery, "10": contract.DurableDelivery,
}

// keeps is how long a session is kept, by the library and by package recovery.
const keeps = 2 * time.Minute

// Find gives the server with that name.
func Find(name string) (Server, error) {
	if server, ok := Recoveries[name]; ok {
		html, err := Page(contract.Recovery)
		return Server{Name: name, Level: contract.Recovery, Handler: Defect(server), HTML: html, Keeps: keeps}, err
	}
	if p, ok := publishedCode[name]; ok {
		return p.server(name)
	}
	if short, broken := strings.CutPrefix(name, "broken:"); broken {
		d, err := defect.Find(short)
		if err != nil {
			return Server{}, err
		}
		return Broken(name, d)
	}
	level, ok := Levels[name]
	if !ok {
		return Server{}, fmt.Errorf("there is no step %q to play; there are 3 to 10, %s, and broken:NAME", name,
			strings.Join(slices.Sorted(maps.Keys(publishedNames())), ", "))
	}
	lesson, err := lessons.Find(name)
	if err != nil {
		return Server{}, err
	}
	s := Server{Name: name, Level: level, Handler: Lesson(lesson), OwnRecovery: true}
	if level != contract.Basic {
		s.Keeps = keeps
	}
	return s, nil
}

func publishedNames() map[string]bool {
	names := map[string]bool{}
	for name := range Recoveries {
		names[name] = true
	}
	for name := range publishedCode {
		names[name] = true
	}
	return names
}

// Page is the reference page of a level: that of the step that introduces it. A server may
// offer recovery also where it does not claim it, and then a page has to drop the events of a
// session whose restoration was cut, as step 6's does: so basic has that page too.
func Page(level contract.Level) ([]byte, error) {
	lesson, err := lessons.Find(map[contract.Level]string{
		contract.Basic: "6", contract.Recovery: "6", contract.ServerDelivery: "7",
		contract.ClientDelivery: "8", contract.DurableDelivery: "10",
	}[level])
	return lesson.Page, err
}

// Recoveries are servers at level recovery, each broken in a way that a scenario is about
// but for the last, by their names as steps. Published-6 is the library's own adapter.
var Recoveries = map[string]defect.New{
	"published-6": defect.PublishedRecovery, "uses-up": defect.UsesUp, "own-offset": defect.OwnOffset,
	"slow-handshake": defect.SlowHandshake, "slow-handshake-fixed": defect.SlowHandshakeFixed,
}

// A publication is what the tutorial publishes at a step that stores messages.
type publication struct {
	level contract.Level
	page  []defect.Change
	make  func(defect.Delays) defect.New
}

var publishedCode = map[string]publication{
	// With the replay outside of the lock.
	"published-7": {contract.ServerDelivery, defect.ShowsAll, defect.Published},
	// With keys that a page counts, and three retries.
	"published-8": {contract.ClientDelivery, defect.CountsKeys, defect.PublishedKeyed},
}

func (p publication) server(name string) (Server, error) {
	html, err := Page(p.level)
	if err != nil {
		return Server{}, err
	}
	html, err = defect.Apply(html, p.page)
	delays := defect.Delays{Seed: 1, BeforeEmit: 8 * time.Millisecond, BetweenRows: 2 * time.Millisecond}
	return Server{Name: name, Level: p.level, Handler: Defect(p.make(delays)), HTML: html, OwnRecovery: true}, err
}

// Broken is a server, or a page on a right server, that is broken on purpose.
func Broken(name string, d defect.Defect) (s Server, err error) {
	s = Server{Name: name, Level: d.Level, OwnRecovery: true}
	if d.New != nil {
		s.Handler, s.OwnRecovery = Defect(d.New), d.Level.AtLeast(contract.ServerDelivery)
		s.HTML, err = Page(d.Level)
	} else {
		var lesson lessons.Lesson
		lesson, err = lessons.Find(d.Step)
		s.Handler, s.HTML = Lesson(lesson), lesson.Page
	}
	if err != nil {
		return s, err
	}
	if s.HTML, err = defect.Apply(s.HTML, d.Page); err != nil {
		return s, fmt.Errorf("the defect %s: %w", d.Name, err)
	}
	return s, nil
}

// replayPage is how many rows a step reads at a time in the virtual lab: so few that a
// replay has parts to be cut between.
const replayPage = 3

// Lesson makes a step.
func Lesson(lesson lessons.Lesson) func(plan.Tuning) lab.Handler {
	return func(tuning plan.Tuning) lab.Handler {
		return func(dir string) (http.Handler, io.Closer, error) {
			return lessons.Handler(lesson, lessons.Settings{
				DataDir: dir, Driver: seam.Driver, Options: Tuned(seam.At(dir).Options(), tuning),
				MaxDisconnection: time.Duration(tuning.MaxDisconnection), ReplayPage: replayPage,
			})
		}
	}
}

// Defect makes a server that is none of the steps.
func Defect(server defect.New) func(plan.Tuning) lab.Handler {
	return func(tuning plan.Tuning) lab.Handler {
		return func(dir string) (http.Handler, io.Closer, error) {
			return server(dir, Remembering(Tuned(seam.At(dir).Options(), tuning), time.Duration(tuning.MaxDisconnection)))
		}
	}
}

// Tuned sets the heartbeat that is asked for.
func Tuned(options *socket.ServerOptions, tuning plan.Tuning) *socket.ServerOptions {
	if tuning.PingInterval > 0 {
		options.SetPingInterval(time.Duration(tuning.PingInterval))
	}
	if tuning.PingTimeout > 0 {
		options.SetPingTimeout(time.Duration(tuning.PingTimeout))
	}
	return options
}

// Remembering sets how long the library's recovery keeps sessions and events. It looks
// for old ones twice in that time, as it does by default (every minute, of two).
func Remembering(options *socket.ServerOptions, maxDisconnection time.Duration) *socket.ServerOptions {
	if maxDisconnection > 0 {
		recovery := socket.DefaultConnectionStateRecovery()
		recovery.SetMaxDisconnectionDuration(maxDisconnection.Milliseconds())
		recovery.SetSessionCleanupInterval(maxDisconnection / 2)
		options.SetConnectionStateRecovery(recovery)
	}
	return options
}
