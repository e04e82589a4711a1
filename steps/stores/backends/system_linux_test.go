package backends

import (
	"context"
	"net"
	"strconv"
	"syscall"
	"testing"
)

// ipLocalPortRange is IP_LOCAL_PORT_RANGE (ip(7), Linux 6.3): the range of the ports that Linux
// may give a socket that requests any port.
const ipLocalPortRange = 51

// A program that requests any port does not get the reserved one. A program that requests
// that port can listen on it.
func TestReservedPortIsGivenOnlyOnRequest(t *testing.T) {
	port, release, err := reserve()
	if err != nil {
		t.Fatal(err)
	}
	unsupported := false
	any := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		return conn.Control(func(fd uintptr) {
			only := port | port<<16
			unsupported = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipLocalPortRange, only) != nil
		})
	}}
	listen := func() error {
		listener, err := any.Listen(context.Background(), "tcp4", host+":0")
		if err == nil {
			err = listener.Close()
		}
		return err
	}
	err = listen()
	if unsupported {
		t.Skip("this Linux has no IP_LOCAL_PORT_RANGE")
	}
	if err == nil {
		t.Errorf("port %d is reserved, and another listener got it", port)
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		t.Errorf("no program can listen on the reserved port %d: %v", port, err)
	} else {
		_ = listener.Close()
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if err := listen(); err != nil {
		t.Errorf("port %d was released, and no listener can get it: %v", port, err)
	}
}
