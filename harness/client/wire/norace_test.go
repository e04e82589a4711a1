//go:build !race

package wire

import "testing"

// The Go server's own polling races with itself when a request is cut off
// (pkg/types/http-context.go), so this is left out under the race detector; what
// the client does there is tested against a scripted server.
func TestWirePollsTheGoServer(t *testing.T) { chatsOver(t, "polling") }
