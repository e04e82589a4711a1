//go:build !linux

package child

import "syscall"

// endWithParent does nothing: only Linux has such a signal.
func endWithParent(*syscall.SysProcAttr) {}
