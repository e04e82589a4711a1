package runner_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/harness/protocol"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// A heartbeat that cannot be set is announced before a check, and the scenarios that wait for it
// are played last. The kit's steps take the heartbeat that they are given.
func TestAHeartbeatThatCannotBeSetIsAnnounced(t *testing.T) {
	t.Parallel()
	fixed := (&chat{}).ready(t)
	if fixed.Heartbeat != 45*time.Second || !fixed.Untuned {
		t.Errorf("the library's heartbeat is 25 s + 20 s, and was read as %s", fixed.Heartbeat)
	}
	if said := runner.HeartbeatWaits(fixed, catalogue.All); !strings.Contains(said, "45s") || !strings.Contains(said, "played last") {
		t.Errorf("said %q", said)
	}
	cells := runner.Cells([]servers.Server{fixed}, catalogue.All)
	late := false
	for _, c := range cells {
		waits := c.Scenario.Plan(1).Tuning.PingInterval > 0
		if late && !waits {
			t.Errorf("%s waits for no heartbeat, and comes after one that does", c.Scenario.ID)
		}
		late = late || waits
	}
	if len(cells) != len(catalogue.All) || !late {
		t.Errorf("%d cells, some of which wait: %v", len(cells), late)
	}

	tuned := stepServer(t, "6")
	if err := runner.Preflight(t.Context(), &tuned); err != nil {
		t.Fatal(err)
	}
	if said := runner.HeartbeatWaits(tuned, catalogue.All); tuned.Heartbeat != 0 || tuned.Untuned || said != "" {
		t.Errorf("step 6: heartbeat %s, said %q", tuned.Heartbeat, said)
	}
}

// A heartbeat that is shorter than the one that Preflight asks for was not set by it either.
func TestAShortHeartbeatThatCannotBeSetIsNoticed(t *testing.T) {
	t.Parallel()
	options := socket.DefaultServerOptions()
	options.SetPingInterval(2 * time.Second)
	options.SetPingTimeout(3 * time.Second)
	if fixed := (&chat{options: options}).ready(t); fixed.Heartbeat != 5*time.Second || !fixed.Untuned {
		t.Errorf("the heartbeat of 2 s + 3 s was read as %s (it cannot be set: %v)", fixed.Heartbeat, fixed.Untuned)
	}
}

// The official client requests /ws/ where it is given the path /ws.
func TestTheHeartbeatIsReadAtThePathThatClientsRequest(t *testing.T) {
	t.Parallel()
	options := socket.DefaultServerOptions()
	options.SetPath("/ws")
	its := protocol.Tutorial()
	its.Path = "/ws"
	server := (&chat{options: options, protocol: &its, admits: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/ws/") }}).ready(t)
	if server.Heartbeat != 45*time.Second {
		t.Errorf("the heartbeat of 25 s + 20 s was read as %s", server.Heartbeat)
	}
}

// A proxy may let only clients with a header in, and the server only WebSocket: the heartbeat is
// read as a client connects.
func TestTheHeartbeatIsReadAsAClientConnects(t *testing.T) {
	t.Parallel()
	its := protocol.Tutorial()
	its.Transports, its.Headers = []string{protocol.WebSocket}, map[string]string{"X-Token": "a token"}
	server := (&chat{protocol: &its, admits: func(r *http.Request) bool {
		isPage := r.Header.Get("Origin") != "" // which cannot set the header
		return (isPage || r.Header.Get("X-Token") == "a token") && r.URL.Query().Get("transport") == protocol.WebSocket
	}}).ready(t)
	if server.Heartbeat != 45*time.Second || !server.Untuned {
		t.Errorf("the heartbeat of 25 s + 20 s was read as %s", server.Heartbeat)
	}
}

// A chat emits each message to all of its clients, and stores none. Its fields may be empty.
type chat struct {
	options  *socket.ServerOptions
	protocol *protocol.Protocol
	admits   func(*http.Request) bool // others are answered 403
	emits    func(text string) []any  // without it, the text alone
	expels   int64                    // it disconnects this many clients after CONNECT
	silences bool                     // it disconnects each client that sends
}

// serve serves the chat at a URL.
func (c *chat) serve(t *testing.T) servers.Server {
	t.Helper()
	options := c.options
	if options == nil {
		options = socket.DefaultServerOptions()
	}
	io := socket.NewServer(nil, options)
	t.Cleanup(func() { io.Close(nil) })
	var connected atomic.Int64
	_ = io.On("connection", func(clients ...any) {
		if connected.Add(1) <= c.expels {
			clients[0].(*socket.Socket).Disconnect(false)
			return
		}
		_ = clients[0].(*socket.Socket).On(contract.ChatEvent, func(args ...any) {
			if c.silences {
				clients[0].(*socket.Socket).Disconnect(false)
				return
			}
			emitted := args[:1]
			if c.emits != nil {
				emitted = c.emits(args[0].(string))
			}
			_ = io.Emit(contract.ChatEvent, emitted...)
		})
	})
	handler := io.ServeHandler(nil)
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.admits != nil && !c.admits(r) {
			http.Error(w, "not like this", http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(listening.Close)
	server, err := servers.URL(listening.URL, nil, contract.Recovery)
	if err != nil {
		t.Fatal(err)
	}
	server.Protocol = c.protocol
	return server
}

// ready is the chat after Preflight.
func (c *chat) ready(t *testing.T) servers.Server {
	t.Helper()
	server := c.serve(t)
	if err := runner.Preflight(t.Context(), &server); err != nil {
		t.Fatal(err)
	}
	return server
}
