//go:build unix && !linux

package target

import (
	"syscall"
	"time"
)

// ownGroup puts the program into a process group of its own. There is no Pdeathsig on this
// system, so only the guard cleans up after a killed harness.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// groupAlive tells whether a process of the group is left.
func groupAlive(group int) bool { return syscall.Kill(-group, 0) == nil }

// killMarked does nothing on this system: processes that have left the group stay.
func killMarked(string, time.Duration) error { return nil }

// On this system, listenerGroups and portsOf find nothing.
func listenerGroups(int) []int { return nil }
func portsOf(int) []int        { return nil }
