package doctor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"redial/harness/protocol"
	"redial/scenarios/servers"
)

// An openPacket is the first packet of Engine.IO.
type openPacket struct {
	Session      string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int64    `json:"pingInterval"`
	PingTimeout  int64    `json:"pingTimeout"`
}

// mostOfAnswer limits the size of an HTTP response.
const mostOfAnswer = 1 << 20

// reach starts the server, or checks that it is running.
func (x *examination) reach(ctx context.Context) bool {
	x.doing("waiting for the server to answer")
	starting, cancel := context.WithTimeout(ctx, x.server.StartWithin())
	defer cancel()
	if err := x.under.Start(starting); err != nil {
		return x.found(HTTP, Bad, "start it, or see target.command, port, ready and readyWithin in `redial explain target`", "%s", oneLine(err.Error()))
	}
	status, _, err := get(ctx, x.cookies, "http://"+x.under.Address()+"/", nil)
	if err != nil {
		// A server without a page need not answer: the handshake decides.
		return x.found(HTTP, Good, "", "it accepts connections; GET / has no answer, so it serves no page there")
	}
	return x.found(HTTP, Good, "", "it answers HTTP: GET / is %s", status)
}

// get requests a page, and returns the beginning of the body. The cookies may be nil.
func get(ctx context.Context, cookies http.CookieJar, address string, header http.Header) (status, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", "", err
	}
	maps.Copy(request.Header, header)
	request.Host = header.Get("Host") // empty means that of the address
	request.Close = true
	response, err := (&http.Client{Jar: cookies}).Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return "", "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostOfAnswer))
	return response.Status, string(text), err
}

// engine returns the address and the header of an Engine.IO request.
func (x *examination) engine(transport, session string) (address string, header http.Header) {
	values := protocol.Values{protocol.Client: "alice", protocol.Other: "bob", protocol.Offset: int64(0)}
	query, header := url.Values{"EIO": {"4"}, "transport": {transport}}, http.Header{}
	for name, value := range protocol.Fill(x.p.Query, values).(map[string]any) {
		query.Set(name, protocol.TextOf(value))
	}
	for name, value := range protocol.Fill(x.p.Headers, values).(map[string]any) {
		header.Set(name, protocol.TextOf(value))
	}
	if session != "" {
		query.Set("sid", session)
	}
	return "http://" + x.under.Address() + x.p.EnginePath() + "?" + query.Encode(), header
}

// handshake opens an Engine.IO session over each transport.
func (x *examination) handshake(ctx context.Context) bool {
	x.doing("asking for a Socket.IO handshake")
	address, header := x.engine("polling", "")
	status, body, err := get(ctx, x.cookies, address, header)
	if err != nil {
		status = oneLine(err.Error())
	}
	polling := readOpen(body, &x.open)
	direct, wsErr := x.webSocket(ctx, "")
	if !polling && wsErr != nil {
		fix := "if Socket.IO is at another path, set socket.path in redial.yaml (`redial init --probe` looks for it in the page)"
		if errors.Is(err, context.DeadlineExceeded) {
			fix = fmt.Sprintf("if the application needs longer to start, write `ready: GET %s?EIO=4&transport=polling` under target in redial.yaml", x.p.EnginePath())
		}
		if strings.Contains(body, "Unsupported protocol version") || strings.Contains(body, "\"code\":5") {
			fix = "the server speaks an older protocol: Socket.IO 3 or later is needed"
		}
		return x.found(Handshake, Bad, fix, "no Socket.IO at %s: polling gets %s%s, a WebSocket %s", x.p.EnginePath(), status, beginning(body), oneLine(wsErr.Error()))
	}
	if !polling {
		x.open = direct
	}
	x.found(Handshake, Good, "", "Socket.IO handshake at %s", x.p.EnginePath())
	x.transports(ctx, polling, wsErr)
	x.heartbeat()
	return true
}

// transports reports which transports work, and whether a session can upgrade from polling
// to WebSocket.
func (x *examination) transports(ctx context.Context, polling bool, wsErr error) {
	switch {
	case wsErr != nil:
		x.found(Transports, Lacking, "say `transports: [polling]` below socket in redial.yaml where that is meant; else let WebSocket through (a proxy, or the server's own transports)", "transports: polling only; a WebSocket gets %s", oneLine(wsErr.Error()))
	case !polling:
		x.found(Transports, Lacking, "say `transports: [websocket]` below socket in redial.yaml where that is meant: scenarios about polling are left out then", "transports: websocket only")
	case !slices.Contains(x.open.Upgrades, "websocket"):
		x.found(Transports, Lacking, "allow upgrades: `allowUpgrades: true`", "transports: websocket and polling, without an upgrade from one to the other")
	default:
		if _, err := x.webSocket(ctx, x.open.Session); err != nil {
			x.found(Transports, Lacking, "an upgrade has to reach the server process that has the session (sticky sessions)", "transports: websocket and polling, but the upgrade fails: %s", oneLine(err.Error()))
			return
		}
		x.found(Transports, Good, "", "transports: websocket, polling and the upgrade")
	}
}

// webSocket opens a session over WebSocket, or probes the upgrade of an existing session,
// and closes it.
func (x *examination) webSocket(ctx context.Context, session string) (open openPacket, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	address, header := x.engine("websocket", session)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return open, err
	}
	host := header.Get("Host")
	header.Del("Host")
	request.Header = header
	if x.cookies != nil {
		for _, cookie := range x.cookies.Cookies(request.URL) { // by which a proxy knows the server of a session
			request.AddCookie(cookie)
		}
	}
	dialer := ws.Dialer{Host: host, Header: ws.HandshakeHeaderHTTP(header)}
	conn, buffered, _, err := dialer.Dial(ctx, "ws"+strings.TrimPrefix(address, "http"))
	if err != nil {
		return open, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	stream := struct {
		io.Reader
		io.Writer
	}{conn, conn}
	if buffered != nil {
		stream.Reader = io.MultiReader(io.LimitReader(buffered, int64(buffered.Buffered())), conn)
		defer ws.PutReader((*bufio.Reader)(buffered))
	}
	if session != "" {
		if err := wsutil.WriteClientText(conn, []byte("2probe")); err != nil {
			return open, err
		}
	}
	text, err := wsutil.ReadServerText(stream)
	switch {
	case err != nil:
		return open, err
	case session != "" && string(text) != "3probe":
		return open, fmt.Errorf("the probe was answered by %.40q", text)
	case session == "" && !readOpen(string(text), &open):
		return open, fmt.Errorf("the first packet is %.40q, no open packet", text)
	}
	return open, wsutil.WriteClientText(conn, []byte("1")) // the close packet of Engine.IO
}

func readOpen(text string, into *openPacket) bool {
	if !strings.HasPrefix(text, "0{") {
		return false
	}
	// A polling response may contain more packets, which are not needed here.
	first, _, _ := strings.Cut(text[1:], "\x1e")
	return json.Unmarshal([]byte(first), into) == nil && into.Session != ""
}

// heartbeat reports how long a dead connection stays undetected, and whether the heartbeat
// can be set.
func (x *examination) heartbeat() {
	const longest = int64(time.Hour / time.Millisecond)
	takes := time.Duration(min(max(x.open.PingInterval+x.open.PingTimeout, 0), longest)) * time.Millisecond
	set := time.Duration(servers.Asked.PingInterval+servers.Asked.PingTimeout) == takes
	switch {
	case set && x.server.URL == "":
		x.found(Heartbeat, Good, "", "heartbeat: it heeds PING_INTERVAL and PING_TIMEOUT")
	case takes <= servableWait:
		x.found(Heartbeat, Good, "", "heartbeat: a dead connection is noticed after %s", takes)
	case x.server.URL != "":
		x.found(Heartbeat, Lacking, "start it with a short pingInterval and pingTimeout for the check", "heartbeat: a dead connection is noticed after %s; rows that wait for it take that long", takes)
	default:
		x.found(Heartbeat, Lacking, "set pingInterval and pingTimeout from PING_INTERVAL and PING_TIMEOUT (milliseconds) in the environment", "heartbeat: it keeps its own %s; rows that wait for it take that long", takes)
	}
}

// servableWait is the longest heartbeat that a check can wait for.
const servableWait = 10 * time.Second

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// beginning shortens a response for a message to the user.
func beginning(body string) string {
	if body = oneLine(body); body == "" {
		return ""
	}
	return fmt.Sprintf(" (%.60q)", body)
}
