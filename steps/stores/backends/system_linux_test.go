package backends

import (
	"context"
	"net"
	"strconv"
	"syscall"
	"testing"
)

// ipLocalPortRange is IP_LOCAL_PORT_RANGE (ip(7), Linux 6.3): the ports that one socket is
// given where it asks for any.
const ipLocalPortRange = 51

// A port that is reserved is given to nobody who asks for any free one, and can be
// listened on by a program that asks for it.
func TestReservedPortIsGivenToNobodyElse(t *testing.T) {
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
		t.Skip("this Linux cannot ask for a port out of a range of one")
	}
	if err == nil {
		t.Errorf("port %d is reserved, and was given to somebody else", port)
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		t.Errorf("the program that the port %d is reserved for cannot have it: %v", port, err)
	} else {
		_ = listener.Close()
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if err := listen(); err != nil {
		t.Errorf("port %d was released, and is not given out: %v", port, err)
	}
}
