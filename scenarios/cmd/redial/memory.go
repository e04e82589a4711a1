package main

import (
	"errors"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// mostMemory, in bytes, bounds the heap while redial checks a server that is not the
	// kit's, whose script runs in this process. A check of an ordinary server takes less than
	// a fifth of it. A script that doubles a string still reaches three to four times the
	// bound: the Go runtime cannot interrupt the copy of a string, and the script may begin the
	// next one before it is stopped.
	mostMemory = 512 << 20
	// softMemory, in bytes, is the size of the heap from which the garbage collector runs
	// continuously: large messages soon become garbage, and the heap would double first.
	softMemory = 200 << 20
	// measureEvery is short, because a script can double its memory within moments.
	measureEvery = 50 * time.Millisecond
)

var (
	tooMuchMemory    atomic.Bool
	errTooMuchMemory = errors.New("the server made redial take more than 512 MB of memory, so everything was stopped: look at the client library that it serves, and at what it emits when a client connects")
)

// watchMemory interrupts redial, as Ctrl-C does, before a server can use up the memory of
// the machine.
func watchMemory() (stop func()) {
	before := debug.SetMemoryLimit(softMemory)
	over := make(chan struct{})
	go func() {
		measure := time.NewTicker(measureEvery)
		defer measure.Stop()
		heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			select {
			case <-over:
				return
			case <-measure.C:
			}
			if metrics.Read(heap); heap[0].Value.Uint64() > mostMemory {
				tooMuchMemory.Store(true)
				_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
				return
			}
		}
	}()
	return func() {
		close(over)
		debug.SetMemoryLimit(before)
	}
}
