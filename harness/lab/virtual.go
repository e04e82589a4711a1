package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/seam"
)

// A Server makes a server that keeps what must outlive it in the folder dir. The
// handler serves until the closer is closed; what the server started ends then. The
// virtual lab calls it once for every life of the server. One that asks package seam
// for what belongs to dir gets the pauses that Plan.Seams plans.
type Server func(dir string) (http.Handler, io.Closer, error)

// A Run is what came of a virtual run.
type Run struct {
	// Events is the history.
	Events []history.Event
	// Err says why the run could not be played to its end.
	Err error
	// Virtual is how long the run took on its own clock, Real on ours.
	Virtual, Real time.Duration
	// Frames are the frames that passed: the places where a fault can be put in
	// another run of the same plan.
	Frames []plan.Passed
	// Leaked counts the goroutines that were still there long after everything was
	// closed, with Config.CountLeaks; without it, -1 means that there are some. They
	// stay, with what they hold, until the process ends.
	Leaked int
	// Leaks says where they are, one line each.
	Leaks []string
	// Output is what http.Server logged: panics of handlers, for instance.
	Output string
}

// VirtualBound is the virtual lab's DefaultBound, in virtual time. It costs nothing
// to wait, so it is above every time-out that a client or a server has by default.
const VirtualBound = 3 * time.Minute

const (
	// calm is how long everything is left alone after it was closed, so that timers
	// that nobody stops run out: above the library's longest (45 s) and two periods
	// of its cleaning (60 s).
	calm = 4 * time.Minute
	// breath is how long the player waits before each step, so that all that a step
	// caused at its instant is over before the next one begins.
	breath = 10 * time.Microsecond
	// patience is how long, on the real clock, a run may take. One takes some
	// milliseconds; one that takes this long is stuck.
	patience = 2 * time.Minute
)

// Virtual plays p on a server in this process: the same clients, scripts, faults
// and histories as [Real], on a clock that jumps over every wait and a network in
// memory. Minutes of heartbeats and backoff take milliseconds.
//
// config.Target must be nil: server is the target. Data folders are made where
// memory is the disk, if there is such a place, and removed afterwards.
//
// Every call is one testing/synctest bubble. Calls may be made from any number of
// goroutines with one t, which is never failed: what is wrong is in the Run. A
// program that is no test gets a t from [WithT].
func Virtual(t *testing.T, server Server, config Config, p plan.Plan) Run {
	began := time.Now()
	if config.Target != nil {
		return Run{Err: errors.New("the virtual lab makes its target itself: leave Config.Target empty")}
	}
	if err := p.Validate(); err != nil {
		return Run{Err: err}
	}
	for _, c := range p.Clients {
		if c.Kind == plan.Browser {
			return Run{Err: fmt.Errorf("%s is a browser, which no fake clock can hold: play the plan in the real lab", c.Name)}
		}
	}
	folder, err := newDataFolder()
	if err != nil {
		return Run{Err: fmt.Errorf("no place for the server's data: %w", err)}
	}
	defer folder.remove()
	defer seam.Open(folder.root, seam.Seams{Seed: p.Seed, Longest: time.Duration(p.Seams)})()

	if !config.OwnRecovery {
		onLibraryRecovery.Lock()
		defer onLibraryRecovery.Unlock()
	}
	v := &virtual{server: server, config: config.withBounds(VirtualBound), plan: p, folder: folder}
	over := make(chan struct{})
	go func() {
		defer close(over)
		v.bubble(t)
	}()
	stuck := time.NewTimer(patience)
	defer stuck.Stop()
	select {
	case <-over:
	case <-stuck.C:
		return Run{Real: time.Since(began), Err: fmt.Errorf("the run is stuck: after %s of real time a goroutine of it still runs, or waits for what lets no virtual time pass, such as a mutex whose holder sleeps", patience)}
	}
	if v.panicked != nil {
		panic(v.panicked)
	}
	v.run.Real = time.Since(began)
	return v.run
}

// virtual is one run, for the time of its bubble.
type virtual struct {
	server Server
	config Config
	plan   plan.Plan
	folder *dataFolder

	run      Run
	id       string // how stack traces mark the bubble's goroutines
	panicked any
}

// bubble plays the plan in a bubble. That goroutines remain when everything else
// has ended is a panic of the bubble's; it is turned into a count.
func (v *virtual) bubble(t *testing.T) {
	defer func() {
		reason := recover()
		if err, ok := reason.(error); ok && strings.Contains(err.Error(), "blocked goroutines remain") {
			v.countLeaks()
			reason = nil
		}
		v.panicked = reason
	}()
	v.run.Err = errors.New("the run ended before it began") // when t.FailNow ends this goroutine
	synctest.Test(t, func(*testing.T) {
		v.id = bubbleID()
		v.play()
		time.Sleep(calm)
	})
}

func (v *virtual) play() {
	began := time.Now()
	var l *player
	memory := network.NewMemory(v.plan.Seed, network.Events{
		Fired: func(f network.Fired) { l.fired(f) },
		Act:   func(f plan.Fault) { l.act(f) },
	})
	target := newHandlerTarget(v.server, memory, v.folder)
	v.config.Target = target
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var closed error
	l = newPlayer(ctx, v.config, v.plan)
	l.world = world{
		link: memory.Link,
		dial: memory.Dial,
		rest: rest,
		// The server first: the library leaves a goroutine behind for every WebSocket
		// that the client closes, and none for one that it closes itself.
		last: func() {
			v.run.Virtual = time.Since(began)
			l.rest()
			v.run.Frames = memory.Frames()
			closed = target.Close()
		},
		bare: true,
	}
	v.run.Err = l.power.start(func() error { return l.startServer(ctx) })
	if v.run.Err == nil {
		v.run.Err = l.playWithClients()
	}
	v.run.Events = l.finish()
	if err := errors.Join(closed, target.Close()); v.run.Err == nil {
		v.run.Err = err
	}
	_ = memory.Close()
	v.run.Output = target.Output()
	if !v.config.OwnRecovery {
		keep(v.server, target.lives)
	}
}

func (v *virtual) countLeaks() {
	v.run.Leaked = -1
	if v.config.CountLeaks {
		v.run.Leaks = goroutines(v.id)
		v.run.Leaked = len(v.run.Leaks)
	}
}

// rest is a world's.
func rest(fault bool) {
	if fault {
		time.Sleep(breath / 2)
		return
	}
	time.Sleep(breath)
}

// bubbleID is how the runtime marks this bubble's goroutines in their traces.
func bubbleID() string {
	header := make([]byte, 128)
	text := string(header[:runtime.Stack(header, false)])
	if from := strings.Index(text, "synctest bubble "); from >= 0 {
		if end := strings.IndexAny(text[from:], ",]"); end >= 0 {
			return text[from : from+end]
		}
	}
	return ""
}

// goroutines says where the goroutines of a bubble are: the function that each is
// in, and what made it.
func goroutines(bubble string) []string {
	traces := make([]byte, 1<<20)
	for {
		n := runtime.Stack(traces, true)
		if n < len(traces) {
			traces = traces[:n]
			break
		}
		traces = make([]byte, 2*len(traces))
	}
	var found []string
	for _, trace := range strings.Split(string(traces), "\n\n") {
		lines := strings.Split(trace, "\n")
		if header := lines[0]; bubble == "" || !strings.Contains(header, bubble+"]") && !strings.Contains(header, bubble+",") {
			continue
		}
		where := "?"
		if len(lines) > 1 {
			where, _, _ = strings.Cut(lines[1], "(0x")
		}
		for _, line := range lines {
			if by, ok := strings.CutPrefix(line, "created by "); ok {
				by, _, _ = strings.Cut(by, " in goroutine")
				where += ", made by " + by
			}
		}
		found = append(found, where)
	}
	return found
}
