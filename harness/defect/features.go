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

// A message with one of these prefixes makes the chat with features use that feature. It emits
// any other message to every client, as step 6 does.
const (
	// Volatile messages are emitted as volatile events, so the adapter does not store them and
	// adds no offset.
	Volatile = "/volatile "
	// Acknowledged messages are broadcast with a request for an acknowledgement.
	Acknowledged = "/acknowledged "
	// Disconnecting messages are emitted, and then the server disconnects every other client.
	Disconnecting = "/disconnect "
)

// slowly is how long the middleware takes: long enough for a broadcast to happen meanwhile.
const slowly = 250 * time.Millisecond

// Features makes a chat at level recovery that uses what no step uses but many applications
// do: volatile events, broadcasts with acknowledgements, disconnects by the server, and a slow
// middleware that runs for recovered pages too. It uses package recovery, and is the control
// for FeaturesPublished.
func Features(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	own := copied(options)
	(&recovery.Builder{Takeover: true, OffsetEvent: "offset"}).Apply(own)
	return features(own, closeConnections)
}

// FeaturesPublished is the same chat on the library's own adapter, which loses messages with
// two of these features. A volatile event that ends in a string leaves the page with an offset
// that the adapter does not know, and broadcasts during the middleware are missing from a
// recovered page's replay. This chat also disconnects pages with a disconnect packet, after
// which the official client does not reconnect, by design.
func FeaturesPublished(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	own := copied(options)
	onLibrary(own, &socket.SessionAwareAdapterBuilder{})
	return features(own, func(_ *socket.Server, by *socket.Socket) { by.Broadcast().DisconnectSockets(false) })
}

// closeConnections closes the connection of every page but one. It sends no disconnect packet,
// so those pages reconnect.
func closeConnections(server *socket.Server, but *socket.Socket) {
	server.Sockets().Sockets().Range(func(id socket.SocketId, page *socket.Socket) bool {
		if id != but.Id() {
			page.Conn().Close(true)
		}
		return true
	})
}

// features makes the chat; disconnect disconnects every page except the one that asks for it.
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
