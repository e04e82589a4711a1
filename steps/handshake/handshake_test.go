package handshake

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// TestAFastPageIsHeard sends the connect packet together with the WebSocket
// handshake's end and an event together with the answer, as fast as it goes. Behind
// the bare library some of these connections hang or are closed.
func TestAFastPageIsHeard(t *testing.T) {
	server := socket.NewServer(nil, socket.DefaultServerOptions())
	_ = server.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		_ = client.On("chat message", func(args ...any) { args[len(args)-1].(socket.Ack)(nil, nil) })
	})
	web := httptest.NewServer(Handler(server))
	defer web.Close()
	defer server.Close(nil)

	const pages = 1000
	for range pages {
		if err := talkFast(web.URL); err != nil {
			t.Fatal(err)
		}
	}
}

func talkFast(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte("40")); err != nil {
		return err
	}
	for {
		_, packet, err := conn.Read(ctx)
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(string(packet), "40"):
			if err := conn.Write(ctx, websocket.MessageText, []byte(`420["chat message","x"]`)); err != nil {
				return err
			}
		case strings.HasPrefix(string(packet), "430"):
			return nil
		}
	}
}
