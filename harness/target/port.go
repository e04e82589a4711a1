//go:build !js

package target

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// Ports are drawn from below the ranges that systems give to outgoing connections
// (from 32768 on Linux, 49152 elsewhere): a port has to stay free while its server
// is down, and a connection of anybody's could be given it meanwhile.
const lowestPort, ports = 20_000, 12_000

// givenPorts keeps two targets of one process from drawing the same port.
var givenPorts sync.Map

func freePort() (int, error) {
	for range 100 {
		port := lowestPort + rand.IntN(ports)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		if !somethingListens(port) {
			return port, nil
		}
		givenPorts.Delete(port)
	}
	return 0, errors.New("a hundred were tried, and something listens on each")
}

// somethingListens dials; it does not try to listen itself. A listener would live on,
// for a moment after it is closed, in every child process that is being forked just
// then, and keep the server from its port.
func somethingListens(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// portIsFree looks before the program is started: whoever holds the port would
// otherwise answer in its place.
func (c *Command) portIsFree() error {
	if somethingListens(c.options.Port) {
		return fmt.Errorf("port %d is in use by something else: stop it, or choose another port", c.options.Port)
	}
	return nil
}
