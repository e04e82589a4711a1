//go:build !linux

package backends

import "net"

// reserve returns a port that is free now. Only Linux can reserve it.
func reserve() (port int, release func() error, err error) {
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		return 0, nil, err
	}
	return listener.Addr().(*net.TCPAddr).Port, func() error { return nil }, listener.Close()
}

// children finds none: only Linux lists them in files.
func children(int) []int { return nil }
