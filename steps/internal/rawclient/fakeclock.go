package rawclient

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// OnFakeClock runs a test of a server on [Pipes] in a synctest bubble. A goroutine that is left
// behind fails the test, unless a function of the library that is known to leave one has made it.
func OnFakeClock(t *testing.T, test func(t *testing.T), known ...string) {
	t.Helper()
	defer func() {
		reason := recover()
		if reason != nil && !strings.Contains(fmt.Sprint(reason), "blocked goroutines remain") {
			panic(reason)
		}
		// A timer of the library's that is stopped at once leaves its goroutine behind: see
		// steps/cures/handshake, TestATimerStoppedAtOnceStays.
		known = append(known, "utils.SetTimeout")
		for stack := range strings.SplitSeq(stacks(), "\n\n") {
			has := func(name string) bool { return strings.Contains(stack, name) }
			if has("synctest bubble") && !slices.ContainsFunc(known, has) {
				t.Errorf("a goroutine is left behind:\n%s", stack)
			}
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		// The last of the clean-ups: the ping timers of what was closed run out.
		t.Cleanup(func() { time.Sleep(4 * time.Minute) })
		test(t)
	})
}

// stacks returns the stacks of all goroutines. It is never cut off: thousands of runs in one
// process, as in fuzzing, leave some megabytes behind, and a stack without its last lines does
// not tell who made it.
func stacks() string {
	for size := 1 << 20; ; size *= 2 {
		buffer := make([]byte, size)
		if n := runtime.Stack(buffer, true); n < size {
			return string(buffer[:n])
		}
	}
}
