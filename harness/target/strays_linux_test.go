package target

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"redial/harness/contract"
)

// leavesSession starts a child that ignores SIGTERM in another session.
func leavesSession() {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"=ignores-hangup")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		panic(err)
	}
	serve(nil)
}

// awaitMarked waits until the server and its child have the mark in their environment. The
// child has it only after its exec.
func awaitMarked(t *testing.T, mark string) (pids []int) {
	for bound := within(t, time.Minute); len(pids) < 2 && bound.Err() == nil; {
		pids = marked(mark)
	}
	return pids
}

func TestKillEndsChildThatHasLeftTheSession(t *testing.T) {
	c := started(t, "leaves-session")
	killEnds(t, c.mark, c.Kill)
}

// killEnds fails unless kill ends every process that has the mark.
func killEnds(t *testing.T, mark string, kill func() error) {
	t.Helper()
	left := awaitMarked(t, mark)
	if err := kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range left {
		if !ended(pid) {
			t.Errorf("process %d still runs after Kill", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func TestKillOfAChildEndsItsOwnChildThatHasLeftTheSession(t *testing.T) {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), roleVariable+"=leaves-session", contract.EnvPort+"=0", contract.EnvDataDir+"="+t.TempDir())
	c, err := StartChild(command)
	if err != nil {
		t.Fatal(err)
	}
	killEnds(t, c.mark, c.Kill)
}

func TestGuardEndsChildThatHasLeftTheSession(t *testing.T) {
	harness, _, folder := startHarness(t, "leaves-session")
	left := awaitMarked(t, "DATA_DIR="+folder)
	harness.Process.Kill()
	harness.Wait()
	for _, pid := range left {
		awaitGone(t, pid)
	}
}
