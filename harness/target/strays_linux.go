package target

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// killMarked kills the processes that have the mark in their environment, and those that
// they start meanwhile: children of the program that have left its group, for instance in
// a session of their own (setsid).
//
// It is not done with a subreaper (PR_SET_CHILD_SUBREAPER): that hands us every orphan, and
// does not say which of several targets it is of; nor with a cgroup, which needs privileges
// that containers seldom give. A child that has left the group and also empties its
// environment is not found.
func killMarked(mark string, bound time.Duration) error {
	for began := time.Now(); ; time.Sleep(goneEvery) {
		found := marked(mark)
		if len(found) == 0 {
			return nil
		}
		if time.Since(began) > bound {
			return fmt.Errorf("processes that the server has started, such as %d, are still there %s after SIGKILL", found[0], bound)
		}
		for _, pid := range found {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// marked are the processes that were started with the mark. The environment of one that
// has ended is empty.
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
