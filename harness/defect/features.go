package defect

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/steps/cures/recovery"
)

// How a message has to begin for the chat with features to do something unusual with it.
// Any other is emitted to everyone, as step 6 does.
const (
	// Volatile: it is emitted volatile, so it is not stored, and has no offset behind it.
	Volatile = "/volatile "
	// Acknowledged: everyone who is sent it is asked to acknowledge it.
	Acknowledged = "/acknowledged "
	// Disconnecting: it is emitted, and then the server has everyone else go.
	Disconnecting = "/disconnect "
)

// slowly is how long the middleware of the chat with features takes.
const slowly = 250 * time.Millisecond

// Features makes a chat at level recovery that does what no step does and many an
// application: it emits volatile events, asks everyone for an acknowledgement,
// disconnects pages, and checks everyone who connects in a middleware that takes its
// time, a page that is recovered too. It stands on package recovery; see
// FeaturesPublished.
func Features(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	own := copied(options)
	(&recovery.Builder{Takeover: true, OffsetEvent: "offset"}).Apply(own)
	return features(own, closeConnections)
}

// FeaturesPublished is the same on the library's own adapter, which loses messages by two
// of these features: a volatile event that ends in a string leaves the page with an offset
// that nobody knows, and what is said while the middleware runs is left out of what a
// recovered page is sent. And it has pages go by telling them so, after which
// the official client stays away, by design.
func FeaturesPublished(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	own := copied(options)
	onLibrary(own, &socket.SessionAwareAdapterBuilder{})
	return features(own, func(_ *socket.Server, by *socket.Socket) { by.Broadcast().DisconnectSockets(false) })
}

// closeConnections closes the connection of every page but one: they come back.
func closeConnections(server *socket.Server, but *socket.Socket) {
	server.Sockets().Sockets().Range(func(id socket.SocketId, page *socket.Socket) bool {
		if id != but.Id() {
			page.Conn().Close(true)
		}
		return true
	})
}

// features makes the chat; disconnect makes all pages go but the one that asks for it.
func features(options *socket.ServerOptions, disconnect func(server *socket.Server, by *socket.Socket)) (http.Handler, io.Closer, error) {
	options.ConnectionStateRecovery().SetSkipMiddlewares(false)
	server := socket.NewServer(nil, options)
	server.Use(func(_ *socket.Socket, next func(*socket.ExtendedError)) {
		time.Sleep(slowly)
		next(nil)
	})
	memoryChat(server, func(client *socket.Socket, value any) {
		text, _ := value.(string)
		everyone := server.Sockets()
		switch {
		case strings.HasPrefix(text, Volatile):
			_ = everyone.Volatile().Emit(contract.ChatEvent, text)
		case strings.HasPrefix(text, Acknowledged):
			everyone.Timeout(time.Second).EmitWithAck(contract.ChatEvent, text)(func([]any, error) {})
		case strings.HasPrefix(text, Disconnecting):
			_ = everyone.Emit(contract.ChatEvent, text)
			disconnect(server, client)
		default:
			_ = everyone.Emit(contract.ChatEvent, value)
		}
	})
	return served(server)
}
