//go:build unix

package lab_test

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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
	before, cpuBefore := runtime.NumGoroutine(), cpuTime()
	if err := lab.WithT(func(t *testing.T) {
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				run := lab.Virtual(t, server, config, conversation(seed.Add(1), kind))
				if run.Err != nil {
					b.Error(run.Err)
					return
				}
				virtual.Add(int64(run.Virtual))
				frames.Add(int64(len(run.Frames)))
			}
		})
	}); err != nil {
		b.Fatal(err)
	}
	real := b.Elapsed().Seconds()
	b.ReportMetric(float64((cpuTime()-cpuBefore).Microseconds())/1000/float64(b.N), "cpu-ms/run")
	b.ReportMetric(float64(b.N)/real, "runs/s")
	b.ReportMetric(time.Duration(virtual.Load()).Seconds()/real, "virtual-s/s")
	b.ReportMetric(float64(frames.Load())/float64(b.N), "frames/run")
	b.ReportMetric(float64(runtime.NumGoroutine()-before)/float64(b.N), "leaks/run")
}

// cpuTime is what this process has used so far: on a machine with something else
// to do it says more than the clock.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
