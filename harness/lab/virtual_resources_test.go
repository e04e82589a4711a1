package lab_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
)

// An hour of virtual time passes within moments of real time, with all of its heartbeats.
func TestVirtualTimeIsFree(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Wire, nil, "alice"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}, {Do: plan.Wait, For: plan.Duration(time.Hour)},
	}}
	run := play(t, step(t, "5"), lab.Config{OwnRecovery: true}, p)
	if run.Err != nil || run.Virtual < time.Hour || run.Real > time.Minute {
		t.Errorf("%v after %s, which took %s", run.Err, run.Virtual, run.Real)
	}
	heartbeats := 0
	for _, f := range run.Frames {
		if f.Direction == plan.Up {
			heartbeats++
		}
	}
	if heartbeats < 3600/26 {
		t.Errorf("alice sent %d frames in an hour of heartbeats", heartbeats)
	}
	for _, e := range run.Events {
		if e.Kind == history.Disconnected {
			t.Errorf("disconnected at %s: %s", time.Duration(e.At), e.Detail)
		}
	}
}

// A diary is a server that writes a line every 10 ms, also after a crash, and for a second
// after its Close was called.
type diary struct {
	file   *os.File
	stop   chan struct{}
	closer io.Closer
	sync.WaitGroup
}

func (d *diary) write() {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	var end <-chan time.Time
	for stop := d.stop; ; {
		select {
		case <-ticker.C:
			_, _ = d.file.WriteString("I am alive\n")
		case <-stop:
			end, stop = time.After(time.Second), nil
		case <-end:
			return
		}
	}
}

func (d *diary) Close() error {
	close(d.stop)
	d.Wait()
	return errors.Join(d.closer.Close(), d.file.Close())
}

// A killed server's goroutines continue to write, but the next server process does not see
// their writes.
func TestVirtualFence(t *testing.T) {
	for _, c := range []struct {
		end plan.Action
		// least and most bound the time, in milliseconds, whose lines the second server
		// process finds.
		least, most int
	}{
		{plan.KillServer, 990, 1010},  // the second before the crash
		{plan.StopServer, 1980, 2020}, // that second, and the one that Close took
	} {
		var atStart, atEnd []int // lines in the file of each server process
		var mu sync.Mutex        // two server processes may end at the same time
		server := func(dir string) (http.Handler, io.Closer, error) {
			path := filepath.Join(dir, "diary")
			text, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, nil, err
			}
			atStart = append(atStart, bytes.Count(text, []byte("\n")))
			handler, closer, err := step(t, "5")(dir)
			if err != nil {
				return nil, nil, err
			}
			file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			d := &diary{file: file, stop: make(chan struct{}), closer: closer}
			d.Go(func() {
				d.write()
				text, _ := os.ReadFile(path)
				mu.Lock()
				defer mu.Unlock()
				atEnd = append(atEnd, bytes.Count(text, []byte("\n")))
			})
			return handler, d, err
		}
		run := play(t, server, lab.Config{OwnRecovery: true}, plan.Plan{Script: []plan.Step{
			{Do: plan.Wait, For: plan.Duration(time.Second)},
			{Do: c.end},
			{Do: plan.Wait, For: plan.Duration(10 * time.Second)},
			{Do: plan.StartServer},
		}})
		if run.Err != nil || len(atStart) != 2 || len(atEnd) != 2 {
			t.Fatalf("%s: %v, %d starts, %d ends", c.end, run.Err, len(atStart), len(atEnd))
		}
		if found := 10 * atStart[1]; found < c.least || found > c.most {
			t.Errorf("%s: the second life finds %d ms of the first, want %d to %d", c.end, found, c.least, c.most)
		}
		if c.end == plan.KillServer && atEnd[0] < atStart[1]+90 {
			t.Errorf("the killed server wrote %d lines of which %d were found: nothing was fenced off", atEnd[0], atStart[1])
		}
	}
}

// A goroutine that a server leaves behind does not end the run with an error. Those of the kit's
// servers belong to the library.
func TestVirtualIgnoresWhatAServerLeaks(t *testing.T) {
	leaks := func(server lab.Handler, config lab.Config, p plan.Plan) []string {
		bubble := ""
		run := play(t, func(dir string) (http.Handler, io.Closer, error) {
			bubble = bubbleID()
			return server(dir)
		}, config, p)
		found := goroutines(bubble)
		if run.Err != nil || bubble == "" {
			t.Fatalf("%v in %q: %v", run.Err, bubble, found)
		}
		return found
	}
	for _, leak := range leaks(step(t, "7"), forStep7, everything(1, plan.Page, "polling", "websocket")) {
		if !strings.Contains(leak, "zishang520/socket.io") {
			t.Errorf("left behind by somebody else than the library: %s", leak)
		}
	}
	left := func(dir string) (http.Handler, io.Closer, error) {
		go func() { select {} }()
		return step(t, "5")(dir)
	}
	if found := leaks(left, lab.Config{OwnRecovery: true}, plan.Plan{}); len(found) != 1 || !strings.Contains(found[0], "TestVirtualIgnoresWhatAServerLeaks") {
		t.Errorf("leaked: %v; want the one that the test has left", found)
	}
}

// The library's own session adapter stops a timer when it is garbage-collected, which ends the
// process unless the lab keeps a reference to the server.
func TestVirtualSurvivesCollection(t *testing.T) {
	for seed := range uint64(5) {
		p := everything(seed, plan.Wire)
		if run := play(t, step(t, "6"), lab.Config{Level: contract.Recovery}, p); run.Err != nil {
			t.Fatal(run.Err)
		}
		for range 3 {
			runtime.GC()
		}
	}
}

// An error ends the run and not the test, and is one line that a user can read.
func TestVirtualErrors(t *testing.T) {
	failing := func(string) (http.Handler, io.Closer, error) { return nil, nil, errors.New("no room in the disk") }
	for _, c := range []struct {
		name   string
		server lab.Handler
		config lab.Config
		plan   plan.Plan
		want   string
	}{
		{"a plan that is none", step(t, "5"), lab.Config{}, plan.Plan{Script: []plan.Step{{Do: "dance"}}}, "unknown action"},
		{"a server that does not start", failing, lab.Config{}, plan.Plan{}, "no room in the disk"},
		{"a second start", step(t, "5"), lab.Config{}, plan.Plan{Script: []plan.Step{{Do: plan.StartServer}}}, "running already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.OwnRecovery = true
			run := play(t, c.server, c.config, c.plan)
			if run.Err == nil || !strings.Contains(run.Err.Error(), c.want) || strings.Contains(run.Err.Error(), "\n") {
				t.Errorf("%v, want one line with %q", run.Err, c.want)
			}
		})
	}
}

// The data folders are removed at the end of a run.
func TestVirtualLeavesNoFolders(t *testing.T) {
	var folders []string
	server := func(dir string) (http.Handler, io.Closer, error) {
		folders = append(folders, dir)
		return step(t, "7")(dir)
	}
	run := play(t, server, forStep7, plan.Plan{Script: []plan.Step{{Do: plan.KillServer}, {Do: plan.StartServer}}})
	if run.Err != nil || len(folders) != 2 || folders[0] == folders[1] {
		t.Fatalf("%v, folders %v", run.Err, folders)
	}
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Dir(folder)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there (%v)", folder, err)
		}
	}
}

// While a server is down, connections are refused as by an operating system.
func TestVirtualRefuses(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Wire, nil, "alice"), Script: []plan.Step{
		{Do: plan.KillServer},
		{Do: plan.Open, Client: "alice"},
		{Do: plan.Wait, For: plan.Duration(time.Minute)},
		{Do: plan.StartServer},
		{Do: plan.AwaitConnected},
	}}
	run := play(t, step(t, "5"), lab.Config{OwnRecovery: true}, p)
	if run.Err != nil {
		t.Fatal(run.Err)
	}
	refused := false
	for _, e := range run.Events {
		refused = refused || e.Kind == history.Note && strings.Contains(e.Detail, "connection refused")
	}
	if !refused {
		t.Error("a dial to a server that is down was not refused")
	}
}
