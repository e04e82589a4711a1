package target

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// leavesSession starts a child in a session of its own, which SIGTERM does not end.
func leavesSession() {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"=ignores-hangup")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		panic(err)
	}
	serve(nil)
}

func TestKillTakesWhatHasLeftTheSession(t *testing.T) {
	c := started(t, "leaves-session")
	var left []int
	for bound := within(t, 10*time.Second); len(left) < 2 && bound.Err() == nil; { // the server, and its child once it has become a program of its own
		left = marked(c.mark)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range left {
		if !ended(pid) {
			t.Errorf("process %d is still there after Kill", pid)
		}
	}
}

// The guard finds such a child too, when the harness is killed.
func TestKilledHarnessLeavesNoSession(t *testing.T) {
	harness := exec.Command(os.Args[0])
	harness.Env = append(os.Environ(), roleVariable+"=harness", "TARGET_ROLE=leaves-session")
	output, err := harness.StdoutPipe()
	if err == nil {
		err = harness.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var group int
	var folder string
	if _, err := fmt.Fscan(output, &group, &folder); err != nil {
		t.Fatal(err)
	}
	var left []int
	for bound := within(t, 10*time.Second); len(left) < 2 && bound.Err() == nil; {
		left = marked("DATA_DIR=" + folder)
	}
	harness.Process.Kill()
	harness.Wait()
	for _, pid := range left {
		gone(t, pid)
	}
}

func ended(pid int) bool {
	state, _ := stat(strconv.Itoa(pid))
	return state == 0 || state == 'Z' || state == 'X'
}
