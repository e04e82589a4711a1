package runner_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/client"
	"redial/harness/contract"
	"redial/harness/history"
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

// What a description gets wrong although messages arrive is told before the first scenario.
func TestPreflightTellsWhatTheDescriptionGetsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		emits func(text string) []any
		says  string
	}{
		"the sender's name in the text": {func(text string) []any { return []any{"alice: " + text} }, "the text has to be a value of its own"},
		"offsets past 2^53":             {func(text string) []any { return []any{text, "1790000000000000001"} }, "1790000000000000001, which JavaScript cannot count exactly"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			its := protocol.Tutorial()
			server := (&chat{protocol: &its, emits: c.emits}).serve(t)
			if err := runner.Preflight(t.Context(), &server); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("said %v, want %s", err, c.says)
			}
		})
	}
}

// What only pages meet is told before the first scenario, since most have pages.
func TestPreflightTellsWhatOnlyAPageMeets(t *testing.T) {
	t.Parallel()
	token := map[string]string{"X-Token": "a token"}
	hasToken := func(r *http.Request) bool { return r.Header.Get("X-Token") != "" }
	for name, c := range map[string]struct {
		headers    map[string]string
		transports []string
		admits     func(*http.Request) bool
		says       string
	}{
		"headers of a WebSocket":   {token, nil, hasToken, "write `transports: [polling]`"},
		"headers of HTTP requests": {token, []string{protocol.Polling}, hasToken, ""},
		"another origin":           {nil, nil, func(r *http.Request) bool { return r.Header.Get("Origin") == "" }, `sends the header "Origin: http://127.0.0.1:`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			its := protocol.Tutorial()
			its.Headers, its.Transports = c.headers, c.transports
			server := (&chat{protocol: &its, admits: c.admits}).serve(t)
			err := runner.Preflight(t.Context(), &server)
			if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("said %v, want %q", err, c.says)
			}
		})
	}
}

// A server may let a client connect, and disconnect it because it is not authorised, or because of
// what it sends.
func TestPreflightTellsThatClientsAreDisconnected(t *testing.T) {
	t.Parallel()
	const everyone = 100
	for name, c := range map[string]struct {
		chat  chat
		enter []protocol.EnterStep
		says  string
	}{
		"after CONNECT":   {chat{expels: everyone}, nil, "disconnects a client after it has connected"},
		"while it enters": {chat{expels: everyone}, []protocol.EnterStep{{Await: "welcome"}}, "disconnects a client after it has connected"},
		"after a message": {chat{silences: true}, nil, "disconnects a client that has sent a message"},
		"once, and it comes back": {chat{expels: 1, emits: func(text string) []any { return []any{"alice: " + text} }}, nil,
			"the text has to be a value of its own"}, // the chat's own mistake
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			its := protocol.Tutorial()
			its.Enter, its.Reconnects, c.chat.protocol = c.enter, c.chat.expels == 1, &its
			server := c.chat.serve(t)
			if err := runner.Preflight(t.Context(), &server); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Error(err)
			}
		})
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

// A page that the server refuses has opened a connection.
func TestPreflightTellsThatAPageIsRefused(t *testing.T) {
	defer func(was time.Duration) { runner.AnswerWithin = was }(runner.AnswerWithin)
	runner.AnswerWithin = 300 * time.Millisecond
	server := (&chat{}).serve(t)
	server.NewPage = func(options client.Options, _ client.Client) (client.Client, error) {
		return refusedPage{options: options}, nil
	}
	err := runner.Preflight(t.Context(), &server)
	if err == nil || !strings.Contains(err.Error(), "refuses the Socket.IO connection") || !strings.Contains(err.Error(), ": no token:") {
		t.Error(err)
	}
}

// A refusedPage is a page whose connection the server refuses.
type refusedPage struct {
	client.Client
	options client.Options
}

func (p refusedPage) Open(context.Context) error {
	for _, note := range []string{"connect_error: no token", "console.error: Uncaught"} {
		p.options.Record(history.Event{Kind: history.Note, Client: p.options.Name, Detail: note})
	}
	return nil
}

func (refusedPage) Close() error { return nil }
