//go:build !race

package page_test

import (
	"testing"

	"redial/harness/client"
)

// The Go server's polling has a data race when a request is cut off (pkg/types/http-context.go), so
// it is left out under the race detector. The page's polling runs under it in package web's tests.
func init() {
	pageTransports = append(pageTransports, []string{"polling"}, []string{"polling", "websocket"})
}

func TestPageUpgrades(t *testing.T) {
	server := serveTCP(t, newSite(t, pageHTML(`
		const socket = io();
		socket.io.engine.on("upgrade", (transport) => console.error("upgraded to", transport.name));`)))
	p := newWatched(t, client.Options{URL: server.URL, Transports: []string{"polling", "websocket"}}).open(t)
	p.await(t, "note (console.error: upgraded to websocket)", 1)
}
