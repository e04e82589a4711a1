package browser

import (
	"encoding/json"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/network"
	"redial/harness/network/paths"
	"redial/harness/plan"
	"redial/steps/lessons"
)

// logNetworkEvents makes the page record the events of its network, with their times.
const logNetworkEvents = `
	window.seen = [];
	const log = (what) => seen.push({ at: Math.round(performance.timeOrigin + performance.now()), what });
	for (const name of ["online", "offline"]) addEventListener(name, () => log(name));
	socket.on("disconnect", (reason) => log("disconnect: " + reason));
	socket.on("connect", () => log("connect"));`

// While there is no network, Chromium fires "offline" and ends the connection; the server's is left
// half-open.
func TestChromiumSwitchesNetworks(t *testing.T) {
	n, err := paths.New()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	options := socket.DefaultServerOptions()
	// The page notices the switch without the heartbeat, which is longer than the test.
	options.SetPingInterval(time.Minute)
	options.SetPingTimeout(time.Minute)
	url := serveTuned(t, "7", lessons.Settings{Options: options}, `io({ auth`, `io({ transports: ["websocket"], auth`)
	proxy, err := network.NewProxy(strings.TrimPrefix(url, "http://"), network.Events{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	link, err := proxy.LinkOver("alice", n)
	if err != nil {
		t.Fatal(err)
	}
	profile := within(n.Command(), "http://"+link.Address()+"/")
	t.Cleanup(func() {
		if err := profile.Close(); err != nil {
			t.Error(err)
		}
	})
	alice := watch(t, "alice", "http://"+link.Address(), tutorial, profile).opens()
	from := alice.until(0, "connected")
	if id, err := alice.tab.evaluate(alice.tab.ctx, `() => crypto.randomUUID()`); err != nil || id == "" {
		t.Errorf("the page is in no secure context, as it is on loopback: %v", err)
	}
	alice.do(logNetworkEvents)
	was := n.Source()
	if open := established(t, link.Address()); !slices.Contains(open, was) {
		t.Fatalf("connections from %q, want one from %s", open, was)
	}
	at := time.Now()
	if err := link.Break(plan.Fault{Kind: plan.Switch, Client: "alice"}); err != nil {
		t.Fatal(err)
	}
	took := time.Since(at)
	from = alice.until(from, "connected")
	alice.sends("over 4g")
	alice.until(from, "shown over 4g")
	open := established(t, link.Address())
	if !slices.Contains(open, was) {
		t.Errorf("connections from %q: the one from %s is not half-open", open, was)
	}
	if now := n.Source(); now == was || !slices.Contains(open, now) {
		t.Errorf("connections from %q, want one from the new address %s", open, now)
	}
	text, err := alice.tab.evaluate(alice.tab.ctx, `() => JSON.stringify(seen)`)
	if err != nil {
		t.Fatal(err)
	}
	var seen []struct {
		At   int64
		What string
	}
	if err := json.Unmarshal([]byte(text), &seen); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range seen {
		got = append(got, s.What)
		t.Logf("%5d ms: %s", s.At-at.UnixMilli(), s.What)
	}
	t.Logf("the switch itself took %s", took.Round(time.Millisecond))
	slices.Sort(got) // the socket's own listener for offline may run before the test's
	if want := []string{"connect", "disconnect: transport close", "offline", "online"}; !slices.Equal(got, want) {
		t.Errorf("the page has the events %q, want %q", got, want)
	}
}

// established returns the hosts of the open connections to the address.
func established(t *testing.T, address string) (hosts []string) {
	t.Helper()
	output, err := exec.Command("ss", "-Htn", "state", "established", "src", address).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		if host, _, err := net.SplitHostPort(fields[len(fields)-1]); err == nil {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
