package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// connectionsPerHost is the limit of browsers for HTTP/1.1.
const connectionsPerHost = 6

// A network has a window's connections. It dials one host only, and can close all connections.
type network struct {
	dialer  func(ctx context.Context, network, address string) (net.Conn, error)
	address string
	// transport is for the page's requests, loader for the page and its scripts. The loader's
	// connections are closed when the page is loaded. A browser keeps them for a while, but
	// then a cut of the link would also hit an idle connection.
	transport, loader *http.Transport

	ctx    context.Context
	cancel context.CancelFunc
	owned  sync.WaitGroup
	mu     sync.Mutex
	open   map[*conn]struct{}
	// loading has the loader's connections.
	loading []net.Conn
}

func newNetwork(base *url.URL, dial func(ctx context.Context, network, address string) (net.Conn, error)) *network {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	n := &network{dialer: dial, address: hostPort(base), open: map[*conn]struct{}{}}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.transport = newTransport(n.dial)
	n.loader = newTransport(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := n.dial(ctx, network, address)
		if err == nil {
			n.mu.Lock()
			n.loading = append(n.loading, c)
			n.mu.Unlock()
		}
		return c, err
	})
	return n
}

func newTransport(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:     dial,
		MaxConnsPerHost: connectionsPerHost,
		// Uncompressed answers are readable in a network log.
		DisableCompression: true,
	}
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "https" || u.Scheme == "wss" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

// A conn is one connection. It counts in owned until its owner closes it.
type conn struct {
	net.Conn
	network *network
	once    sync.Once
	err     error
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.err = c.Conn.Close()
		c.network.mu.Lock()
		delete(c.network.open, c)
		c.network.mu.Unlock()
		c.network.owned.Done()
	})
	return c.err
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address != n.address {
		return nil, fmt.Errorf("refused to dial %s: a page reaches nothing but its own server, %s", address, n.address)
	}
	n.mu.Lock()
	if n.ctx.Err() != nil {
		n.mu.Unlock()
		return nil, ErrClosed
	}
	n.owned.Add(1)
	n.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)()
	plain, err := n.dialer(ctx, network, address)
	if err != nil {
		n.owned.Done()
		return nil, err
	}
	c := &conn{Conn: plain, network: n}
	n.mu.Lock()
	closed := n.ctx.Err() != nil
	if !closed {
		n.open[c] = struct{}{}
	}
	n.mu.Unlock()
	if closed {
		_ = c.Close()
		return nil, ErrClosed
	}
	return c, nil
}

// close ends every connection and dial. Their owners then close them too.
func (n *network) close() {
	n.mu.Lock()
	n.cancel()
	open := slices.Collect(maps.Keys(n.open))
	n.mu.Unlock()
	for _, c := range open {
		_ = c.Conn.Close()
	}
	n.transport.CloseIdleConnections()
	n.loader.CloseIdleConnections()
}

// loaded closes the loader's connections. CloseIdleConnections alone would miss one that is about to
// become idle.
func (n *network) loaded() {
	n.mu.Lock()
	loading := n.loading
	n.loading = nil
	n.mu.Unlock()
	for _, c := range loading {
		_ = c.(*conn).Conn.Close()
	}
	n.loader.CloseIdleConnections()
}

// wait returns when the owners have closed all connections.
func (n *network) wait() { n.owned.Wait() }

// origin is location.origin.
func (w *Window) origin() string { return w.base.Scheme + "://" + w.base.Host }

// resolve makes an address absolute; it returns "" if it is invalid.
func (w *Window) resolve(address string) string {
	u, err := w.base.Parse(address)
	if err != nil {
		return ""
	}
	u.Fragment = ""
	return u.String()
}

func (w *Window) resolveSocket(address string) string {
	u, err := w.base.Parse(address)
	if err != nil || u.Fragment != "" {
		return ""
	}
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	if u.Scheme != "ws" && u.Scheme != "wss" {
		return ""
	}
	u.Path = cmp.Or(u.Path, "/")
	return u.String()
}

// isOwn tells whether u is on the page's own server; if not, it reports the refusal. It must run on
// the loop.
func (w *Window) isOwn(what string, u *url.URL) bool {
	if hostPort(u) == w.network.address {
		return true
	}
	w.Report(fmt.Sprintf("refused %s to %s: a page reaches nothing but its own server, %s", what, u.Host, w.base.Host))
	return false
}

func (w *Window) checkRedirect(request *http.Request, via []*http.Request) error {
	if hostPort(request.URL) != w.network.address || len(via) >= 10 {
		return http.ErrUseLastResponse
	}
	return nil
}

// Fetch requests the page or one of its scripts. A body of more than limit bytes is an error.
func (w *Window) Fetch(ctx context.Context, path string, limit int64) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.resolve(path), nil)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("User-Agent", UserAgent)
	for name, value := range w.options.Headers {
		request.Header.Set(name, value)
	}
	client := http.Client{Transport: w.network.loader, Jar: w.options.Cookies, CheckRedirect: w.checkRedirect}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	// The buffer has the answer's length, because io.ReadAll would copy the bundle a dozen times.
	buffer := bytes.NewBuffer(make([]byte, 0, min(max(response.ContentLength, 0), limit)+bytes.MinRead))
	_, err = buffer.ReadFrom(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(buffer.Len()) > limit {
		err = fmt.Errorf("GET %s answers more than %d kB", path, limit>>10)
	}
	return response.StatusCode, buffer.Bytes(), err
}

// Loaded closes the connections of Fetch.
func (w *Window) Loaded() { w.network.loaded() }
