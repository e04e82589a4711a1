package target

import (
	"crypto/rand"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
)

// markPrefix begins the name of the environment variable that tells the processes of one
// Command from all others. A name of its own, so that a harness under test does not
// replace that of the harness that tests it.
const markPrefix = "REDIAL_TARGET_"

// newMark is an environment variable that only what one Command or Child starts has.
func newMark() string { return markPrefix + rand.Text() + "=1" }

// The guard's whole program. It reads which process group to watch, a line each,
// an empty line meaning none. Its input ends when this process is gone, however
// it went; then it kills the group, and on Linux what else has the mark in its
// environment, and removes the temporary folder.
const guardScript = `group=
while read -r line; do group=$line; done
[ -z "$group" ] || kill -KILL "-$group"
for found in $([ -z "$2" ] || grep -ls "$2" /proc/[0-9]*/environ); do
	found=${found#/proc/}
	kill -KILL "${found%/environ}"
done
[ -z "$1" ] || rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }`

// A guard is a small shell that outlives this process to clean up after it.
// Pdeathsig alone would not do: it reaches the program but not the program's
// children (npm's node), and exists on Linux only.
type guard struct {
	command *exec.Cmd
	input   io.WriteCloser
}

func newGuard(folder, mark string) (*guard, error) {
	command := exec.Command("/bin/sh", "-c", guardScript, "redial-guard", folder, mark)
	// A session of its own: what ends the terminal or our group leaves it alone.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := command.StdinPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("the guard that cleans up after a crash cannot be started: %w", plainError(err))
	}
	return &guard{command: command, input: input}, nil
}

// watch names the group to kill; zero means none.
func (g *guard) watch(group int) {
	line := ""
	if group != 0 {
		line = strconv.Itoa(group)
	}
	io.WriteString(g.input, line+"\n") // fails only if somebody killed the guard
}

// dismiss ends the guard without its doing anything.
func (g *guard) dismiss() {
	g.command.Process.Kill()
	g.command.Wait()
	g.input.Close()
}
