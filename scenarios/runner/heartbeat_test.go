package runner_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// A heartbeat that cannot be set is announced before a check, and the scenarios that wait for it
// are played last. The kit's steps take the heartbeat that they are given.
func TestAHeartbeatThatCannotBeSetIsAnnounced(t *testing.T) {
	t.Parallel()
	fixed := withHeartbeatOf(t, socket.DefaultServerOptions())
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
	if fixed := withHeartbeatOf(t, options); fixed.Heartbeat != 5*time.Second || !fixed.Untuned {
		t.Errorf("the heartbeat of 2 s + 3 s was read as %s (it cannot be set: %v)", fixed.Heartbeat, fixed.Untuned)
	}
}

// withHeartbeatOf is a chat at a URL with these options, after Preflight.
func withHeartbeatOf(t *testing.T, options *socket.ServerOptions) servers.Server {
	t.Helper()
	server := socket.NewServer(nil, options)
	t.Cleanup(func() { server.Close(nil) })
	_ = server.On("connection", func(clients ...any) {
		one := clients[0].(*socket.Socket)
		_ = one.On(contract.ChatEvent, func(args ...any) { _ = server.Emit(contract.ChatEvent, args[0]) })
	})
	listening := httptest.NewServer(server.ServeHandler(nil))
	t.Cleanup(listening.Close)
	fixed, err := servers.URL(listening.URL, nil, contract.Recovery)
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Preflight(t.Context(), &fixed); err != nil {
		t.Fatal(err)
	}
	return fixed
}
