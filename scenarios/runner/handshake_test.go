package runner_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/harness/protocol"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// A proxy may let only clients with a header in, and the server only WebSocket: the heartbeat is
// read as a client connects.
func TestTheHeartbeatIsReadAsAClientConnects(t *testing.T) {
	t.Parallel()
	io := socket.NewServer(nil, nil)
	defer io.Close(nil)
	_ = io.On("connection", func(clients ...any) {
		_ = clients[0].(*socket.Socket).On(contract.ChatEvent, func(args ...any) { _ = io.Emit(contract.ChatEvent, args[0]) })
	})
	chat := io.ServeHandler(nil)
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") != "a token" || r.URL.Query().Get("transport") != protocol.WebSocket {
			http.Error(w, "not like this", http.StatusForbidden)
			return
		}
		chat.ServeHTTP(w, r)
	}))
	defer listening.Close()
	server, err := servers.URL(listening.URL, nil, contract.Basic)
	if err != nil {
		t.Fatal(err)
	}
	its := protocol.Tutorial()
	its.Transports, its.Headers = []string{protocol.WebSocket}, map[string]string{"X-Token": "a token"}
	server.Protocol = &its
	if err := runner.Preflight(t.Context(), &server); err != nil {
		t.Fatal(err)
	}
	if server.Heartbeat != 45*time.Second || !server.Untuned {
		t.Errorf("the heartbeat of 25 s + 20 s was read as %s", server.Heartbeat)
	}
}
