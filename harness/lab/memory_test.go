package lab_test

import (
	"flag"
	"runtime"
	"testing"

	"redial/harness/lab"
	"redial/harness/lab/race"
	"redial/harness/plan"
)

var (
	repeats    = flag.Int("repeats", 50, "how often TestVirtualIsRepeatable plays one plan")
	memoryRuns = flag.Int("memory-runs", 100, "how many runs TestMemoryStaysFlat plays; 20000 take three minutes on two cores")
)

// Thousands of runs must leave behind no goroutine and no memory. The library leaks both for
// every WebSocket that a client closes; package handshake frees them.
func TestMemoryStaysFlat(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector slows it down tenfold, and sees these runs in other tests")
	}
	config := forStep7
	playSome := func(from, runs int) {
		for run := range parallel(runs, func(i int) lab.Run {
			kind := plan.Wire
			if i%20 == 0 {
				kind = plan.Page
			}
			return play(t, step(t, "7"), config, conversation(uint64(from+i), kind))
		}) {
			if run.Err != nil {
				t.Fatal(run.Err)
			}
		}
	}
	warm := min(100, *memoryRuns/3) // warm-up: caches of compiled scripts and pools fill
	playSome(0, warm)
	heap, goroutines := inUse()
	playSome(warm, *memoryRuns-warm)
	heapAfter, goroutinesAfter := inUse()
	t.Logf("after %d runs: %.1f MB, %d goroutines; after %d: %.1f MB, %d goroutines",
		warm, megabytes(heap), goroutines, *memoryRuns, megabytes(heapAfter), goroutinesAfter)
	if goroutinesAfter > goroutines+5 {
		t.Errorf("%d goroutines more", goroutinesAfter-goroutines)
	}
	// The Go runtime itself retains half a kilobyte a run. Without package handshake a run
	// leaks 130 kB and two goroutines.
	most := heap + 2<<20 + uint64(*memoryRuns-warm)<<10
	if heapAfter > most {
		t.Errorf("%.1f MB in use, above %.1f MB", megabytes(heapAfter), megabytes(most))
	}
}

// inUse returns the reachable memory in bytes and the number of goroutines.
func inUse() (heap uint64, goroutines int) {
	runtime.GC()
	runtime.GC() // the second collection frees objects that a finalizer or a pool referred to
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, runtime.NumGoroutine()
}

func megabytes(n uint64) float64 { return float64(n) / (1 << 20) }
