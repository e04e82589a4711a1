package rawclient

import "testing"

// A stack that was cut off once failed a right server, after 2,300 inputs of FuzzPackets.
func TestManyGoroutinesThatAreKnownToStay(t *testing.T) {
	OnFakeClock(t, func(*testing.T) { startMany(5_000) }, "created by redial/steps/internal/rawclient.startMany")
}

// startMany starts goroutines whose last line of the stack alone tells who made them.
func startMany(n int) {
	for range n {
		go func() { deep(20) }()
	}
}

func deep(calls int) {
	if calls == 0 {
		select {}
	}
	deep(calls - 1)
}
