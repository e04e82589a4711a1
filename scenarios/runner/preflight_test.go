package runner_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/check"
	"redial/harness/client"
	"redial/harness/contract"
	"redial/harness/protocol"
	"redial/harness/target"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// A server that numbers its messages replays everything to a page that sends no offset. Its
// pages keep an offset also at a weaker level, where --level auto begins.
func TestPagesOfAServerThatNumbersItsMessagesKeepTheOffset(t *testing.T) {
	t.Parallel()
	rows := find(t, "server-killed")
	for _, level := range []contract.Level{contract.Basic, contract.Recovery} {
		server, err := servers.Command(target.CommandOptions{Command: []string{os.Args[0], servers.ServeStep, "7"}}, level)
		if err != nil {
			t.Fatal(err)
		}
		if err := runner.Preflight(t.Context(), &server); err != nil {
			t.Fatal(err)
		}
		results := played(t, server, rows, runner.Options{Seed: 1, Runs: 1})
		if outcome := results[0].Outcome(); outcome != check.Pass {
			t.Errorf("%s: %s: %s", level, outcome, results[0].Reason())
		}
	}
}

// The official client requests /ws/ where it is given the path /ws.
func TestTheHeartbeatIsReadAtThePathThatClientsRequest(t *testing.T) {
	t.Parallel()
	options := socket.DefaultServerOptions()
	options.SetPath("/ws")
	io := socket.NewServer(nil, options)
	defer io.Close(nil)
	_ = io.On("connection", func(clients ...any) {
		one := clients[0].(*socket.Socket)
		_ = one.On("m", func(args ...any) { _ = io.Emit("m", args[0]) })
	})
	chat := io.ServeHandler(nil)
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/ws/") {
			http.NotFound(w, r)
			return
		}
		chat.ServeHTTP(w, r)
	}))
	defer listening.Close()
	server, err := servers.URL(listening.URL, nil, contract.Basic)
	if err != nil {
		t.Fatal(err)
	}
	server.Protocol = &protocol.Protocol{Path: "/ws", Send: &protocol.Send{Event: "m", Args: []any{"{{text}}"}, NoAck: true}, Receive: protocol.Receive{Event: "m"}}
	if err := runner.Preflight(t.Context(), &server); err != nil {
		t.Fatal(err)
	}
	if server.Heartbeat != 45*time.Second {
		t.Errorf("the heartbeat of 25 s + 20 s was read as %s", server.Heartbeat)
	}
}

// A server that does not answer the question for its heartbeat is not asked on after Preflight has
// returned and closed it.
func TestPreflightEndsWithEverythingThatItBegan(t *testing.T) {
	t.Parallel()
	asked, ended := make(chan bool, 1), make(chan bool)
	listening := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/socket.io/") {
			asked <- true
			<-r.Context().Done()
			close(ended)
		}
	}))
	defer listening.Close()
	server, err := servers.URL(listening.URL, nil, contract.Basic)
	if err != nil {
		t.Fatal(err)
	}
	server.NewPage = func(client.Options, client.Client) (client.Client, error) {
		<-asked
		return nil, errors.New("there is no browser")
	}
	if err := runner.Preflight(t.Context(), &server); err == nil || err.Error() != "there is no browser" {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(runner.AnswerWithin / 3):
		t.Error("the server is still asked")
	}
}
