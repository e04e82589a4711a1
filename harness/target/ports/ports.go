//go:build !js

// Package ports finds free ports for servers that this process starts.
//
// Read [Take] first. It must not import another package of this module.
package ports

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// Ports are drawn from below the range of ephemeral ports (from 32768 on Linux, 49152
// elsewhere), because a port has to stay free while its server is down, and the system could
// assign an ephemeral one to an outgoing connection meanwhile.
const lowest, count = 20_000, 12_000

// taken has a claim for each port that this process has taken.
var taken sync.Map

// claim keeps every other caller from taking the port, also one in another process, until the
// claim is closed or this process ends. It is a UDP socket, at a number that is as far above the
// ports that are drawn as their range is wide, so that a server that listens by UDP, too, as one
// with HTTP/3, finds its own port free.
func claim(port int) (net.PacketConn, error) {
	return net.ListenPacket("udp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+count)))
}

// Take returns the first of several free ports in a row. No other caller gets one of them before
// it is released.
func Take(several int) (first int, err error) {
	for range 100 {
		if first := lowest + rand.IntN(count-several); takeAll(first, several) {
			return first, nil
		}
	}
	return 0, errors.New("each of a hundred ports that were drawn is in use")
}

func takeAll(first, several int) bool {
	for port := first; port < first+several; port++ {
		if !take(port) {
			for ; port > first; port-- {
				Release(port - 1)
			}
			return false
		}
	}
	return true
}

func take(port int) bool {
	claimed, err := claim(port)
	if err != nil {
		return false
	}
	if Listens(port) {
		claimed.Close()
		return false
	}
	taken.Store(port, claimed)
	return true
}

// Release lets the port be taken again.
func Release(port int) {
	if claimed, found := taken.LoadAndDelete(port); found {
		claimed.(net.PacketConn).Close()
	}
}

// Listens dials and does not try to listen. A child process that is being forked at that
// moment would inherit the listener and occupy the port for a moment after it is closed.
func Listens(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
