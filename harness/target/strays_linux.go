package target

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// killMarked kills the processes that have the mark in their environment, until none is left:
// children of the program that have left its group, for instance with setsid.
//
// A subreaper (PR_SET_CHILD_SUBREAPER) would not do: this process would get every orphan
// without knowing which of several targets had started it. A cgroup needs privileges that
// containers seldom have. killMarked does not find a child that has left the group and also
// clears its environment.
func killMarked(mark string, bound time.Duration) error {
	for began := time.Now(); ; time.Sleep(goneEvery) {
		found := marked(mark)
		if len(found) == 0 {
			return nil
		}
		if time.Since(began) > bound {
			return fmt.Errorf("processes that the server has started, such as %d, are still running %s after SIGKILL", found[0], bound)
		}
		for _, pid := range found {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// marked returns the processes with the mark in their environment. A zombie is not among them,
// because its environment is empty.
func marked(mark string) (pids []int) {
	for _, pid := range processes() {
		environment, err := os.ReadFile("/proc/" + pid + "/environ")
		if err == nil && bytes.Contains(environment, []byte(mark)) {
			number, _ := strconv.Atoi(pid)
			pids = append(pids, number)
		}
	}
	return pids
}
