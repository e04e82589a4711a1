//go:build unix && !linux

package target

import (
	"syscall"
	"time"
)

// ownGroup puts the program into a process group of its own. There is no
// Pdeathsig here; the guard alone cleans up after a killed harness.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// groupAlive tells whether a process of the group is left.
func groupAlive(group int) bool { return syscall.Kill(-group, 0) == nil }

// killMarked finds nothing on this system: what has left the group stays.
func killMarked(string, time.Duration) error { return nil }

// listenerGroups and portsOf are not known on this system.
func listenerGroups(int) []int { return nil }
func portsOf(int) []int        { return nil }
