package runner

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"redial/harness/check"
)

// The same messages are shown on one page and on a hundred: the memory of Recheck does not
// grow with the number of events.
func TestRecheckDoesNotHoldTheHistory(t *testing.T) {
	few, many := heldByRecheck(t, 1), heldByRecheck(t, 100)
	if more := many - few; more > 2<<20 {
		t.Errorf("%d bytes for 50,000 events, and %d for 500", many, few)
	}
}

// heldByRecheck is the size of the heap when all events but the last have been judged. The
// history comes through a pipe, so that the test knows when that is.
func heldByRecheck(t *testing.T, pages int) int {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "history")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	judged := make(chan error, 1)
	go func() {
		r, _, err := Recheck(pipe, "")
		if err == nil && r.Outcome() != check.Pass {
			err = fmt.Errorf("%s: %s", r.Outcome(), r.Results[0].Reason())
		}
		judged <- err
	}()
	file, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	for p := range pages {
		fmt.Fprintf(w, `{"kind":"connected","client":"client-%d"}`+"\n", p)
	}
	for m := range 500 {
		fmt.Fprintf(w, `{"kind":"sent","client":"client-0","message":"message %d"}`+"\n", m)
		for p := range pages {
			fmt.Fprintf(w, `{"kind":"shown","client":"client-%d","message":"message %d"}`+"\n", p, m)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var held runtime.MemStats
	runtime.ReadMemStats(&held)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-judged; err != nil {
		t.Fatal(err)
	}
	return int(held.HeapAlloc)
}

// A command that repeats a failure can be copied where the program was called.
func TestReplayCallsTheProgramAsTheUserDid(t *testing.T) {
	t.Setenv("GOCACHE", "/cache")
	for program, want := range map[string]string{
		"redial": "redial", "../bin/redial": "../bin/redial",
		"/cache/ab/abcd-d/redial":          "go run ./scenarios/cmd/redial",
		"/tmp/go-build123/b001/exe/redial": "go run ./scenarios/cmd/redial", "/tmp/runner.test": "go run ./scenarios/cmd/redial",
	} {
		if got := calledAs(program); got != want {
			t.Errorf("%s: %q, want %q", program, got, want)
		}
	}
}
