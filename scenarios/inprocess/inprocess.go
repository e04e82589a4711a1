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

// A Server is a server that the virtual lab can run.
type Server struct {
	// Name is its name on the command line and in plans: "7", "published-6", "broken:NAME".
	Name string
	// Level is the promise of the server.
	Level contract.Level
	// Handler makes the server for a run.
	Handler func(plan.Tuning) lab.Handler
	// HTML is the page to use with the server; empty means the server's own page.
	HTML []byte
	// OwnRecovery has the meaning of lab.Config's field.
	OwnRecovery bool
	// Keeps is the default lifetime of a disconnected session; 0 if the server has no session
	// recovery.
	Keeps time.Duration
}

// Config returns the lab's settings for runs on the server.
func (s Server) Config() lab.Config {
	return lab.Config{
		Level: s.Level, KeepsLog: s.Level.AtLeast(contract.ServerDelivery), Keys: s.Level.AtLeast(contract.ClientDelivery),
		OwnRecovery: s.OwnRecovery, HTML: s.HTML, Bundle: lessons.FetchBundle,
	}
}

// Levels maps each step to its level.
var Levels = map[string]contract.Level{
	"3": contract.Basic, "4": contract.Basic, "5": contract.Basic,
	"6": contract.Recovery, "7": contract.ServerDelivery,
	"8": contract.ClientDelivery, "9": contract.ClientDelivery, "10": contract.DurableDelivery,
}

// keeps is the lifetime of a disconnected session, both in the library and in package
// recovery.
const keeps = 2 * time.Minute

// Find returns the server with the name.
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
		others := slices.AppendSeq(slices.Collect(maps.Keys(Recoveries)), maps.Keys(publishedCode))
		slices.Sort(others)
		return Server{}, fmt.Errorf("there is no step %q to play; there are 3 to 10, %s, and broken:NAME", name, strings.Join(others, ", "))
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

// Page returns the reference page of a level, which is the page of the step that introduces
// the level. Level basic also gets step 6's page: a server may offer recovery without
// claiming it, and then a page must drop the events of a session whose recovery was
// interrupted.
func Page(level contract.Level) ([]byte, error) {
	lesson, err := lessons.Find(map[contract.Level]string{
		contract.Basic: "6", contract.Recovery: "6", contract.ServerDelivery: "7",
		contract.ClientDelivery: "8", contract.DurableDelivery: "10",
	}[level])
	return lesson.Page, err
}

// Recoveries maps step names to servers at level recovery. Each but the last has a defect
// that a scenario is about. Published-6 is the library's own adapter.
var Recoveries = map[string]defect.New{
	"published-6": defect.PublishedRecovery, "uses-up": defect.UsesUp, "own-offset": defect.OwnOffset,
	"slow-handshake": defect.SlowHandshake, "slow-handshake-fixed": defect.SlowHandshakeFixed,
}

// A publication is the tutorial's published code of a step that stores messages.
type publication struct {
	level contract.Level
	page  []defect.Change
	make  func(defect.Delays) defect.New
}

var publishedCode = map[string]publication{
	// The replay is outside the lock.
	"published-7": {contract.ServerDelivery, defect.ShowsAll, defect.Published},
	// Each page counts its own keys, and retries three times.
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

// Broken returns a server with a deliberate defect, or a correct server with a defective
// page.
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

// replayPage is the number of rows that a step reads at a time in the virtual lab. It is
// small, so that even a short replay has several parts between which a connection can be
// cut.
const replayPage = 3

// Lesson returns the handler of a step.
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

// Defect returns the handler of a server that is not a step.
func Defect(server defect.New) func(plan.Tuning) lab.Handler {
	return func(tuning plan.Tuning) lab.Handler {
		return func(dir string) (http.Handler, io.Closer, error) {
			return server(dir, Remembering(Tuned(seam.At(dir).Options(), tuning), time.Duration(tuning.MaxDisconnection)))
		}
	}
}

// Tuned sets the heartbeat of a plan.
func Tuned(options *socket.ServerOptions, tuning plan.Tuning) *socket.ServerOptions {
	if tuning.PingInterval > 0 {
		options.SetPingInterval(time.Duration(tuning.PingInterval))
	}
	if tuning.PingTimeout > 0 {
		options.SetPingTimeout(time.Duration(tuning.PingTimeout))
	}
	return options
}

// Remembering sets how long the library's recovery keeps sessions and events. The library
// looks for expired ones twice in that time, which matches its default (every minute, of
// two).
func Remembering(options *socket.ServerOptions, maxDisconnection time.Duration) *socket.ServerOptions {
	if maxDisconnection > 0 {
		recovery := socket.DefaultConnectionStateRecovery()
		recovery.SetMaxDisconnectionDuration(maxDisconnection.Milliseconds())
		recovery.SetSessionCleanupInterval(maxDisconnection / 2)
		options.SetConnectionStateRecovery(recovery)
	}
	return options
}
