package serve

import (
	"net/http"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// Page serves the HTML of a step's page.
func Page(html []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html)
	})
}

// A Closer disconnects every page and ends the server.
type Closer struct{ Server *socket.Server }

// Close always returns nil.
func (c Closer) Close() error {
	c.Server.Close(nil)
	return nil
}
