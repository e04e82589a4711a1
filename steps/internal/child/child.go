// Package child starts programs that end when this process ends, even if it is killed.
//
// Read [Start]. The package must not know which programs it starts.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts the command in a process group of its own, so that Ctrl-C in a terminal does
// not reach it. The channel is closed when the program has ended.
func Start(command *exec.Cmd) (ended <-chan struct{}, err error) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid = true
	endWithParent(command.SysProcAttr)
	started, done := make(chan error), make(chan struct{})
	go func() {
		// Linux sends the signal when the thread that started the program ends, so this thread
		// must live as long as the program.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait()
			close(done)
		}
	}()
	return done, <-started
}
