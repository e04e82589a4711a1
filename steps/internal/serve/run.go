package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// closeWithin limits the time to close a step, so that Ctrl-C always ends it.
const closeWithin = 1500 * time.Millisecond

// Listen listens on the address. An error explains in one line why that is not possible.
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("something else listens on %s already: stop it, or choose another port with PORT=3001", address)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return listener, nil
}

// URL returns the address of the listener for a browser.
func URL(listener net.Listener) string {
	address := listener.Addr().(*net.TCPAddr)
	host := address.IP.String()
	if address.IP.IsLoopback() || address.IP.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(address.Port))
}

// Run serves handler until ctx ends, then closes listener, connections and step,
// and returns within about two seconds.
func Run(ctx context.Context, listener net.Listener, handler http.Handler, step io.Closer) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-served:
	}
	// The listener first: a client that is disconnected reconnects at once.
	_ = server.Close()
	closed := make(chan error, 1)
	go func() { closed <- step.Close() }()
	select {
	case err := <-closed:
		return errors.Join(failed, err)
	case <-time.After(closeWithin):
		return errors.Join(failed, fmt.Errorf("the step did not close within %v", closeWithin))
	}
}
