// Package guard cleans up after this process, even if the process is killed.
//
// Read [New] first. Package target ends servers with it, and package paths removes network
// namespaces. It must not import any other package of the kit.
package guard

import (
	"io"
	"os/exec"
	"syscall"
)

// A Guard is a small shell that outlives this process. Pdeathsig alone would not do: it
// reaches a program but not the program's children, and exists on Linux only.
type Guard struct {
	command *exec.Cmd
	input   io.WriteCloser
}

// New starts a shell with the script and its arguments. The script must read its input to the
// end, which comes when this process has ended for any reason, and then clean up.
func New(script string, arguments ...string) (*Guard, error) {
	command := exec.Command("/bin/sh", append([]string{"-c", script, "redial-guard"}, arguments...)...)
	// In a session of its own, the shell does not get the signals of the terminal or of this
	// process's group.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := command.StdinPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return nil, err
	}
	return &Guard{command: command, input: input}, nil
}

// Send sends a line to the script.
func (g *Guard) Send(line string) {
	io.WriteString(g.input, line+"\n") // fails only if the guard was killed
}

// Dismiss ends the guard without a clean-up.
func (g *Guard) Dismiss() {
	g.command.Process.Kill()
	g.command.Wait()
	g.input.Close()
}
