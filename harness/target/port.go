//go:build !js

package target

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
	return 0, errors.New("each of a hundred ports that were drawn is in use")
}

// somethingListens dials and does not try to listen. A child process that is being forked at
// that moment would inherit the listener and occupy the port for a moment after it is closed.
func somethingListens(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
