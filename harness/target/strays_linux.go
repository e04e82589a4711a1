package target

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
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
	killed := map[int]bool{}
	for began := time.Now(); ; time.Sleep(goneEvery) {
		for _, pid := range marked(mark) {
			killed[pid] = true
			syscall.Kill(pid, syscall.SIGKILL)
		}
		// A process that ends loses its environment before its open files, and so its port.
		maps.DeleteFunc(killed, func(pid int, _ bool) bool { return ended(pid) })
		if len(killed) == 0 {
			return nil
		}
		if time.Since(began) > bound {
			pids := slices.Sorted(maps.Keys(killed))
			return fmt.Errorf("processes that the program has started, such as %d, are still running %s after SIGKILL", pids[0], bound)
		}
	}
}

func ended(pid int) bool {
	state, _ := stat(strconv.Itoa(pid))
	return state == 0 || state == 'Z' || state == 'X'
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
