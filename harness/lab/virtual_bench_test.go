//go:build unix

package lab_test

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
)

func BenchmarkVirtualPages(b *testing.B) { benchmarkSteps(b, plan.Page) }
func BenchmarkVirtualWire(b *testing.B)  { benchmarkSteps(b, plan.Wire) }

func benchmarkSteps(b *testing.B, kind plan.Kind) {
	for _, number := range []string{"5", "7"} {
		b.Run("step-"+number, func(b *testing.B) { benchmark(b, number, kind) })
	}
}

func benchmark(b *testing.B, number string, kind plan.Kind) {
	config := lab.Config{Level: contract.ServerDelivery, KeepsLog: number == "7", OwnRecovery: true}
	server := step(b, number)
	var virtual, frames atomic.Int64
	var seed atomic.Uint64
	// The command redial sets the same limit, since it trades memory for time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	share := startProfile()
	before, cpuBefore := runtime.NumGoroutine(), cpuTime()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			run := play(b, server, config, conversation(seed.Add(1), kind))
			if run.Err != nil {
				b.Error(run.Err)
				return
			}
			virtual.Add(int64(run.Virtual))
			frames.Add(int64(len(run.Frames)))
		}
	})
	real := b.Elapsed().Seconds()
	share(b)
	b.ReportMetric(float64((cpuTime()-cpuBefore).Microseconds())/1000/float64(b.N), "cpu-ms/run")
	b.ReportMetric(float64(b.N)/real, "runs/s")
	b.ReportMetric(time.Duration(virtual.Load()).Seconds()/real, "virtual-s/s")
	b.ReportMetric(float64(frames.Load())/float64(b.N), "frames/run")
	b.ReportMetric(float64(runtime.NumGoroutine()-before)/float64(b.N), "leaks/run")
}

// startProfile begins to sample the CPU time. The function that it returns reports the shares
// in percent: of the harness (lab, network, page), the JavaScript VM, the server with its
// database, and Go's runtime (garbage collection, scheduling). A sample outside of these, such
// as in a copy of bytes, counts for the caller.
func startProfile() (report func(b *testing.B)) {
	var samples bytes.Buffer
	if err := pprof.StartCPUProfile(&samples); err != nil {
		return func(*testing.B) {} // -cpuprofile is profiling already
	}
	return func(b *testing.B) {
		pprof.StopCPUProfile()
		parsed, err := profile.Parse(&samples)
		if err != nil {
			b.Fatal(err)
		}
		spent, all := map[string]int64{}, int64(0)
		for _, s := range parsed.Sample {
			spent[ownerOf(s)] += s.Value[1]
			all += s.Value[1]
		}
		for _, owner := range []string{"harness", "vm", "server", "runtime"} {
			b.ReportMetric(100*float64(spent[owner])/float64(max(all, 1)), owner+"-%cpu")
		}
	}
}

// ownerOf returns the part that a sample counts for: that of the innermost function which
// belongs to one.
func ownerOf(s *profile.Sample) string {
	for _, location := range s.Location {
		for _, line := range location.Line {
			name := line.Function.Name
			switch {
			case strings.HasPrefix(name, "github.com/dop251/goja"):
				return "vm"
			case strings.HasPrefix(name, "redial/harness"):
				return "harness"
			case strings.HasPrefix(name, "redial/steps"), strings.HasPrefix(name, "github.com/zishang520/"),
				strings.HasPrefix(name, "github.com/mattn/go-sqlite3"), strings.HasPrefix(name, "net/http"):
				return "server"
			}
		}
	}
	return "runtime"
}

// cpuTime returns the CPU time that this process has used. Unlike the clock's time, it does
// not depend on the other processes of the machine.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
