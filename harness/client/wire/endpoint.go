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

// An endpoint is the address of an Engine.IO connection, with the query, headers and cookies of
// its requests.
type endpoint struct {
	server, path string
	query        url.Values
	header       http.Header
	// cookies persist as in a browser, because a proxy with sticky sessions recognises a
	// client by them.
	cookies http.CookieJar
}

// endpoint fills in the protocol's templates for the next connection. The caller holds the lock.
func (v *view) endpoint() endpoint {
	w := v.wire
	to := endpoint{
		server:  w.options.URL,
		path:    w.proto.EnginePath(),
		query:   url.Values{},
		header:  http.Header{},
		cookies: w.cookies,
	}
	values := v.values()
	for name, value := range protocol.Fill(w.proto.Query, values).(map[string]any) {
		to.query.Set(name, protocol.TextOf(value))
	}
	for name, value := range protocol.Fill(w.proto.Headers, values).(map[string]any) {
		to.header.Set(name, protocol.TextOf(value))
	}
	return to
}

// namespace is the Socket.IO namespace of the client's packets.
func (w *Client) namespace() string { return cmp.Or(w.proto.Namespace, "/") }

// address is the URL of a request, as in the Engine.IO protocol.
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

// ownHeader is the header without the Host, for which the HTTP libraries have a field.
func (e endpoint) ownHeader() http.Header {
	header := e.header.Clone()
	header.Del("Host")
	return header
}
