package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// A URL is a Target that somebody else runs.
type URL struct {
	address string

	mu      sync.Mutex
	started bool
	exited  chan struct{} // never closed: we would not know
}

// NewURL reads "http://host:port". TLS is not supported, because links pass on
// the bytes of a plain connection and have to find the frames in them.
func NewURL(raw string) (*URL, error) {
	parsed, err := url.Parse(raw)
	switch {
	case err != nil || parsed.Host == "" || parsed.Hostname() == "":
		return nil, fmt.Errorf("%q is no address of a server; write it like http://127.0.0.1:3000", raw)
	case parsed.Scheme == "https":
		return nil, fmt.Errorf("%s: https is not supported; give the plain http address behind it", raw)
	case parsed.Scheme != "http":
		return nil, fmt.Errorf("%q is no address of a server; write it like http://127.0.0.1:3000", raw)
	case parsed.Path != "" && parsed.Path != "/", parsed.RawQuery != "", parsed.Fragment != "", parsed.User != nil:
		return nil, fmt.Errorf("%s: give the address only, like http://%s", raw, parsed.Host)
	}
	port := parsed.Port()
	if port == "" {
		port = "80"
	}
	return &URL{address: net.JoinHostPort(parsed.Hostname(), port), exited: make(chan struct{})}, nil
}

// String is the URL, without a path.
func (u *URL) String() string { return "http://" + u.address }

// Address is the host and the port.
func (u *URL) Address() string { return u.address }

// Start checks once that the server answers. After it has, a second Start is
// ErrUnsupported.
func (u *URL) Start(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.started {
		return errNotOurs
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if err := answers(ctx, client, u.String()+"/"); err != nil {
		return fmt.Errorf("nothing answers at %s: %w", u, plainError(err))
	}
	u.started = true
	return nil
}

// errNotOurs is what a server at a URL says to all that only its owner can do.
var errNotOurs = fmt.Errorf("%w: it is a URL, not a command, and can be neither stopped nor started", ErrUnsupported)

// Stop is ErrUnsupported, as are Kill, Pause and Continue.
func (u *URL) Stop(context.Context) error { return errNotOurs }

// Kill is ErrUnsupported.
func (u *URL) Kill() error { return errNotOurs }

// Pause is ErrUnsupported.
func (u *URL) Pause() error { return errNotOurs }

// Continue is ErrUnsupported.
func (u *URL) Continue() error { return errNotOurs }

// Nodes is the one server.
func (u *URL) Nodes() []string { return []string{""} }

// NodeAddress is Address for the empty name.
func (u *URL) NodeAddress(name string) string { return onlyAddress(u, name) }

// Part is the server as a whole.
func (u *URL) Part(name string) (Part, error) { return OnlyPart(u, name) }

// CanRestart is false.
func (u *URL) CanRestart() bool { return false }

// Exited is never closed.
func (u *URL) Exited() <-chan struct{} { return u.exited }

// Output is empty: what the server prints is not ours to see.
func (u *URL) Output() string { return "" }

// Close has nothing to close.
func (u *URL) Close() error { return nil }

// plainError takes off the layers that net and exec put around the reason.
func plainError(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			break
		}
		err = inner
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	return err
}
