package backends

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// reserve reserves a free port for a program that sets SO_REUSEADDR, as Redis and PostgreSQL
// do. The socket is bound and does not listen, so the program can listen on the port, and
// Linux gives the port to no program that requests any free one (socket(7), ip(7)). Otherwise
// another test could get the port while the server is not running.
func reserve() (port int, release func() error, err error) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socket", err)
	}
	release = func() error { return os.NewSyscallError("close", syscall.Close(socket)) }
	address := &syscall.SockaddrInet4{Addr: [4]byte(net.ParseIP(host).To4())}
	if err := syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, nil, errors.Join(os.NewSyscallError("setsockopt", err), release())
	}
	if err := syscall.Bind(socket, address); err != nil {
		return 0, nil, errors.Join(os.NewSyscallError("bind", err), release())
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		return 0, nil, errors.Join(os.NewSyscallError("getsockname", err), release())
	}
	given, ok := bound.(*syscall.SockaddrInet4)
	if !ok {
		return 0, nil, errors.Join(fmt.Errorf("the socket has an address of type %T", bound), release())
	}
	return given.Port, release, nil
}

// children returns the children of the process that have not ended. A zombie has ended.
func children(parent int) (pids []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		stat, _ := os.ReadFile(folder + "/stat")
		_, stats, _ := strings.Cut(string(stat), ") ") // after the name; see proc(5)
		var state string
		var of int
		if _, err := fmt.Sscan(stats, &state, &of); err == nil && of == parent && state != "Z" && state != "X" {
			pid, _ := strconv.Atoi(filepath.Base(folder))
			pids = append(pids, pid)
		}
	}
	return pids
}
