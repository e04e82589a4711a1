package network

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// This file asks the operating system about TCP connections. It uses golang.org/x/sys, because
// the standard syscall package is frozen and lacks poll.

// delivered tells whether the other end's system has acknowledged everything that was written
// (SIOCOUTQ, tcp(7)).
func delivered(end net.Conn) bool {
	yes := true
	ask(end, func(fd int) {
		unacknowledged, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		yes = err != nil || unacknowledged == 0
	})
	return yes
}

// socketHungUp tells whether the other end has closed, even if bytes that it sent before are
// unread (POLLRDHUP, poll(2)).
func socketHungUp(end net.Conn) bool {
	yes := false
	ask(end, func(fd int) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(poll, 0)
		yes = err == nil && n > 0
	})
	return yes
}

func ask(end net.Conn, question func(fd int)) {
	socket, ok := end.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := socket.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { question(int(fd)) })
	}
}

// reservePort binds a free port of the IPv4 address host without listening, so that no other
// program gets it during an Outage. The link can listen on it meanwhile, because both sockets
// have SO_REUSEADDR and only one of them listens.
func reservePort(host string) (port int, release func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, err
	}
	release = func() { unix.Close(fd) }
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte(net.ParseIP(host).To4())})
	}
	if err == nil {
		var bound unix.Sockaddr
		if bound, err = unix.Getsockname(fd); err == nil {
			return bound.(*unix.SockaddrInet4).Port, release, nil
		}
	}
	release()
	return 0, nil, err
}
