package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/seam"
	"redial/harness/target"
)

// VirtualBound is the virtual lab's DefaultBound, in virtual time. A virtual wait takes no
// real time, so the bound is above every default time-out of a client or a server.
const VirtualBound = 3 * time.Minute

const (
	// drainTime is the time after the end of a run in which timers expire that no code stops.
	// It is above the library's longest timer (45 s) and two periods of its cleaning (60 s).
	drainTime = 4 * time.Minute
	// stepGap is the pause before each step, so that everything that the previous step caused
	// at the same instant is over.
	stepGap = 10 * time.Microsecond
	// stuckAfter is the longest real time of a run without a frame, and longestRun of a run
	// with frames. A run takes some milliseconds; one with hours of polling on a busy machine
	// takes minutes.
	stuckAfter = time.Minute
	longestRun = 20 * time.Minute
)

// virtualLab plays on a server in this process, in a bubble of its own for each run.
type virtualLab struct{}

func (virtualLab) String() string { return "virtual" }

func (virtualLab) Play(ctx context.Context, server Server, config Config, p plan.Plan) Run {
	began := time.Now()
	if err := playable(ctx, server, config, p); err != nil {
		return Run{Err: err}
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
	v := &virtual{handler: server.Handler(p.Tuning), config: config.withBounds(VirtualBound), plan: p, folder: folder}
	over := make(chan struct{})
	go func() {
		defer close(over)
		v.bubble()
	}()
	if err := v.await(over); err != nil {
		return Run{Real: time.Since(began), Err: err}
	}
	if v.panicked != nil {
		panic(v.panicked)
	}
	v.run.Real = time.Since(began)
	return v.run
}

// await waits until the run is over. It gives up a run in which no frame passes any more,
// since a bubble that is stuck never ends.
func (v *virtual) await(over <-chan struct{}) error {
	look := time.NewTicker(stuckAfter)
	defer look.Stop()
	for began, before := time.Now(), -1; ; {
		select {
		case <-over:
			return nil
		case <-look.C:
		}
		passed := 0
		if memory := v.memory.Load(); memory != nil {
			passed = memory.Passed()
		}
		if passed == before || time.Since(began) > longestRun {
			return fmt.Errorf("the run is stuck: after %s of real time a goroutine of it still runs, or waits for what lets no virtual time pass, such as a mutex whose holder sleeps",
				time.Since(began).Round(time.Second))
		}
		before = passed
	}
}

// playable returns the reason why the virtual lab cannot play the plan on the server, or nil.
func playable(ctx context.Context, server Server, config Config, p plan.Plan) error {
	if server.Handler == nil {
		return fmt.Errorf("%w: the virtual lab needs the server in its own process", target.ErrUnsupported)
	}
	if config.NewPage != nil {
		return fmt.Errorf("%w: in the virtual lab the pages have the official client", target.ErrUnsupported)
	}
	if err := p.Validate(); err != nil {
		return err
	}
	return ctx.Err()
}

// A virtual is one run in its bubble.
type virtual struct {
	handler Handler
	config  Config
	plan    plan.Plan
	folder  *dataFolder

	// memory is nil until the bubble has made it. It is atomic because await reads it from
	// outside of the bubble.
	memory atomic.Pointer[network.Memory]

	run      Run
	panicked any
}

// bubble plays the plan in a bubble. If goroutines remain when all others have ended, synctest
// panics; bubble ignores that: they stay until the process ends, with the memory that they refer to.
//
// synctest.Test requires a testing.T, which the testing package makes only for a test binary's
// main function. The zero value of T is enough: its name and its output are used only when a
// test fails, and no code here fails it. So the lab runs in any program; TestOutsideOfTests
// checks that with the present version of Go.
func (v *virtual) bubble() {
	defer func() {
		v.panicked = recover()
		if err, ok := v.panicked.(error); ok && strings.Contains(err.Error(), "blocked goroutines remain") {
			v.panicked = nil
		}
	}()
	v.run.Err = errors.New("the run ended before it began") // remains if t.FailNow ends this goroutine
	synctest.Test(new(testing.T), func(*testing.T) {
		v.play()
		time.Sleep(drainTime)
	})
}

func (v *virtual) play() {
	began := time.Now()
	var l *player
	traffic := newTraffic(v.config)
	memory := network.NewMemory(v.plan.Seed, network.Events{
		Fired:   func(f network.Fired) { l.faults.fired(f) },
		Act:     func(f plan.Fault) { l.faults.act(f) },
		Traffic: traffic,
	})
	v.memory.Store(memory)
	under := newHandlerTarget(v.handler, memory, v.folder)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var closed error
	l = newPlayer(ctx, v.config, v.plan, under)
	l.env = environment{
		link:    memory.Link,
		dial:    memory.Dial,
		quiesce: quiesce,
		// The server closes first: the library leaks a goroutine for every WebSocket that the
		// client closes, and none for one that the server closes.
		last: func() {
			v.run.Virtual = time.Since(began)
			l.quiesce()
			v.run.Frames = memory.Frames()
			v.run.Traffic = l.trafficOf(traffic)
			closed = under.Close()
		},
		bare: true,
	}
	v.run.Err = l.servers.start()
	if v.run.Err == nil {
		v.run.Err = l.playWithClients()
	}
	v.run.Events, v.run.Began = l.finish(), l.began
	if err := errors.Join(closed, under.Close()); v.run.Err == nil {
		v.run.Err = err
	}
	_ = memory.Close()
	v.run.Output = under.Output()
	if !v.config.OwnRecovery {
		keep(v.handler, under.lives)
	}
}

// quiesce lets a fault continue before the script if both wait at one instant, so that their
// order does not depend on the scheduler.
func quiesce(fault bool) {
	if fault {
		time.Sleep(stepGap / 2)
		return
	}
	time.Sleep(stepGap)
}
