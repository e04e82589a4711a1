//go:build !js

package target

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// A URL is a Target that runs already and that Redial can neither start nor stop.
type URL struct {
	scheme, host string
	address      string
	relay        *secureRelay // nil where the server speaks plain HTTP

	mu      sync.Mutex
	started bool
	exited  chan struct{} // never closed: Redial does not see the process
}

// NewURL parses "http://host:port" or "https://host:port". For https, secure has the trusted
// certificates; nil means those that the system trusts.
func NewURL(raw string, secure *tls.Config) (*URL, error) {
	parsed, err := url.Parse(raw)
	switch {
	case err != nil || parsed.Host == "" || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https":
		return nil, fmt.Errorf("%q is no address of a server; write it like http://127.0.0.1:3000", raw)
	case parsed.Path != "" && parsed.Path != "/", parsed.RawQuery != "", parsed.Fragment != "", parsed.User != nil:
		return nil, fmt.Errorf("%s: give the address only, like %s://%s", raw, parsed.Scheme, parsed.Host)
	}
	port := cmp.Or(parsed.Port(), map[string]string{"http": "80", "https": "443"}[parsed.Scheme])
	u := &URL{scheme: parsed.Scheme, host: net.JoinHostPort(parsed.Hostname(), port), exited: make(chan struct{})}
	u.address = u.host
	if parsed.Scheme == "https" {
		secure = secure.Clone()
		if secure == nil {
			secure = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		secure.ServerName, secure.NextProtos = parsed.Hostname(), []string{"http/1.1"}
		if u.relay, err = newSecureRelay(u.host, secure); err != nil {
			return nil, fmt.Errorf("no port for the relay to %s: %w", raw, err)
		}
		u.address = u.relay.listener.Addr().String()
	}
	return u, nil
}

// String is the URL, without a path.
func (u *URL) String() string { return u.scheme + "://" + u.host }

// Address is the host and the port. For https they are those of a relay on 127.0.0.1, which
// accepts plain connections and adds TLS.
func (u *URL) Address() string { return u.address }

// Start checks once that the server answers. After that, another Start returns ErrUnsupported.
func (u *URL) Start(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.started {
		return errNotOurs
	}
	if u.relay != nil {
		server, err := u.relay.dial(ctx)
		if err != nil {
			return fmt.Errorf("no TLS connection to %s: %w", u, plainError(err))
		}
		server.Close()
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	asking, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	_, err := statusOf(asking, client, "http://"+u.address+"/")
	if err != nil && asking.Err() != nil && ctx.Err() == nil {
		// A Socket.IO server without a page never answers GET /, but accepts connections.
		var conn net.Conn
		if conn, err = (&net.Dialer{Timeout: probeBound}).DialContext(ctx, "tcp", u.address); err == nil {
			conn.Close()
		}
	}
	switch err = plainError(err); {
	case err == nil:
		u.started = true
		return nil
	case strings.Contains(err.Error(), "malformed HTTP"): // net/http has no type for it
		return fmt.Errorf("what answers at %s is not HTTP: %w", u, err)
	}
	return fmt.Errorf("nothing answers at %s: %w", u, err)
}

var errNotOurs = fmt.Errorf("%w: it is a URL, not a command, and can be neither stopped nor started", ErrUnsupported)

// Stop returns ErrUnsupported, as do Kill, Pause and Continue.
func (u *URL) Stop(context.Context) error { return errNotOurs }

// Kill returns ErrUnsupported.
func (u *URL) Kill() error { return errNotOurs }

// Pause returns ErrUnsupported.
func (u *URL) Pause() error { return errNotOurs }

// Continue returns ErrUnsupported.
func (u *URL) Continue() error { return errNotOurs }

// Nodes is the one server.
func (u *URL) Nodes() []string { return []string{""} }

// NodeAddress is Address, because there is one server.
func (u *URL) NodeAddress(string) string { return u.Address() }

// Part is the server as a whole.
func (u *URL) Part(name string) (Part, error) { return OnlyPart(u, name) }

// Exited is never closed.
func (u *URL) Exited() <-chan struct{} { return u.exited }

// Output is empty, because Redial does not see what the server prints.
func (u *URL) Output() string { return "" }

// Close ends the relay of an https address.
func (u *URL) Close() error {
	if u.relay == nil {
		return nil
	}
	return u.relay.close()
}

// plainError unwraps the reason from the layers that net and os/exec put around it.
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
