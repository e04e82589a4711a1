//go:build !race

package wire

import "testing"

// The Go server's polling has a data race when a request is cut off (pkg/types/http-context.go),
// so this test is left out under the race detector. The client's polling is tested under it with
// a scripted server.
func TestWirePollsTheGoServer(t *testing.T) { chatsOver(t, "polling") }
