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
	// mostMemory is what redial may take, in bytes, while it checks a server that is not
	// the kit's: many times what it needs. The server's own script runs in this process.
	mostMemory = 1 << 30
	// softMemory, in bytes, is from where on the runtime collects in place of growing: large
	// messages are soon garbage, and the heap would double before that is noticed.
	softMemory = 200 << 20
	// lookEvery is short, as a script can double what it has in moments.
	lookEvery = 50 * time.Millisecond
)

var (
	tooMuchMemory    atomic.Bool
	errTooMuchMemory = errors.New("the server made redial take more than 1 GB of memory, so everything was stopped: look at the client library that it serves, and at what it emits when a client connects")
)

// watchMemory interrupts redial, as Ctrl-C does, before a server can use up the memory of
// the machine.
func watchMemory() (stop func()) {
	before := debug.SetMemoryLimit(softMemory)
	over := make(chan struct{})
	go func() {
		look := time.NewTicker(lookEvery)
		defer look.Stop()
		heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			select {
			case <-over:
				return
			case <-look.C:
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
