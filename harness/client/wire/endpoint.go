package wire

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"

	"redial/harness/protocol"
)

// A dialer is Options.Dial.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// An endpoint is where an Engine.IO connection goes, and what its requests carry.
type endpoint struct {
	server, path string
	query        url.Values
	header       http.Header
	// cookies are those of the browser that the client stands for: a proxy with sticky
	// sessions knows a client by them.
	cookies http.CookieJar
}

// endpoint is the protocol's, as it is for the next connection. The caller holds the lock.
func (v *view) endpoint() endpoint {
	w := v.wire
	to := endpoint{
		server:  w.options.URL,
		path:    w.speaks.EnginePath(),
		query:   url.Values{},
		header:  http.Header{},
		cookies: w.cookies,
	}
	values := v.values()
	for name, value := range protocol.Fill(w.speaks.Query, values).(map[string]any) {
		to.query.Set(name, protocol.TextOf(value))
	}
	for name, value := range protocol.Fill(w.speaks.Headers, values).(map[string]any) {
		to.header.Set(name, protocol.TextOf(value))
	}
	return to
}

// namespace is the one that the client's packets belong to.
func (w *Client) namespace() string { return cmp.Or(w.speaks.Namespace, "/") }

// address is the URL of a request; see the protocol's handshake.
func (e endpoint) address(transport, session string) (string, error) {
	address, err := url.Parse(e.server)
	if err != nil {
		return "", err
	}
	address.Path = e.path
	address.RawQuery = "EIO=4&transport=" + transport
	if session != "" {
		address.RawQuery += "&sid=" + url.QueryEscape(session)
	}
	if len(e.query) > 0 {
		address.RawQuery += "&" + e.query.Encode()
	}
	return address.String(), nil
}

// ownHeader is the header without the Host, which the libraries have a field for.
func (e endpoint) ownHeader() http.Header {
	header := e.header.Clone()
	header.Del("Host")
	return header
}
