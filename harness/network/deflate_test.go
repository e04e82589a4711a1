package network

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"redial/harness/plan"
)

// A fault finds its message among compressed ones, which refer to those before them, among short
// ones that are not compressed, and after long ones.
func TestFaultAtACompressedMessage(t *testing.T) {
	for _, mode := range []websocket.CompressionMode{websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover} {
		for _, direction := range []plan.Direction{plan.Up, plan.Down} {
			t.Run(fmt.Sprintf("%v %s", mode, direction), func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
					echo(w, q, &websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 10})
				}))
				defer server.Close()
				fired := make(chan Fired, 10)
				traffic := &Traffic{}
				proxy, err := NewProxy(server.Listener.Addr().String(), Events{Fired: func(f Fired) { fired <- f }, Traffic: traffic})
				if err != nil {
					t.Fatal(err)
				}
				defer proxy.Close()
				link, err := proxy.Link("alice")
				if err != nil {
					t.Fatal(err)
				}
				link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Direction: direction, Match: `42["chat message","the same`, Number: 3}})
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				c, _, err := websocket.Dial(ctx, "ws://"+link.Address(), &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 10})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				c.SetReadLimit(-1)
				noise := make([]byte, 1<<20)
				_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
				texts := []string{
					`42["chat message","the same again",1]`, "2", `42["chat message","another",2]`, "42" + string(pattern(100_000)),
					`42["chat message","the same again",3]`, "42" + fmt.Sprintf("%x", noise), "3", `42["chat message","the same again",4]`,
				}
				for n, text := range texts {
					err := c.Write(ctx, websocket.MessageText, []byte(text))
					if err == nil {
						var got []byte
						if _, got, err = c.Read(ctx); err == nil && string(got) != text {
							t.Fatalf("message %d comes back as %.80q", n, got)
						}
					}
					if last := n == len(texts)-1; (err != nil) != last {
						t.Fatalf("message %d: %v", n, err)
					}
				}
				<-fired
				read := 0
				frames, _, _ := traffic.Recorded()
				for _, f := range frames {
					if f.Direction == direction && strings.HasPrefix(f.Text, `42["chat message"`) {
						read++
					}
				}
				if read < 3 {
					t.Errorf("the recorded traffic has the text of %d messages", read)
				}
			})
		}
	}
}

const deflateResponse = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Extensions: x-other\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

// A compressed frame is not held if it can never be read: it is too long, it continues a message,
// or a message before it could not be read. The payload of the last of the frames never ends.
func TestCompressedFrameThatCannotBeReadIsNotHeld(t *testing.T) {
	endless := string([]byte{0xc1, 127, 0, 0, 1, 0, 0, 0, 0, 0}) // 2^40 bytes
	for name, frames := range map[string]string{
		"too long":           endless + string(pattern(maxBody+1)),
		"a continuation":     string(frameBytes(0x41, []byte("\xf2\x48"), nil)) + "\x80\x05\xcd",
		"after a lost frame": string(frameBytes(0xc1, []byte("no deflate"), nil)) + endless + "\xf2",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Direction: plan.Down, Match: "42["}})
			client, server := r.connect()
			client.send(upgradeRequest)
			server.receive(upgradeRequest)
			server.send(deflateResponse)
			client.receive(deflateResponse)
			server.sendAsync(frames)
			client.receive(frames)
			r.nothingFired()
		})
	}
}

// The bytes are those of RFC 7692, section 7.2.3.
func TestTextOfCompressedMessages(t *testing.T) {
	const hello, final, again = "\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00"
	frame := func(first byte, payload string) string { return string(frameBytes(first, []byte(payload), nil)) }
	for name, c := range map[string]struct {
		frames []string
		texts  []string
	}{
		"two messages":         {[]string{frame(0xc1, hello), frame(0xc1, again)}, []string{"Hello", "Hello"}},
		"a final block":        {[]string{frame(0xc1, final+"\x00"), frame(0xc1, again)}, []string{"Hello", "Hello"}},
		"two final blocks":     {[]string{frame(0xc1, final+final+"\x00"), frame(0xc1, again)}, []string{"HelloHello", "Hello"}},
		"a block after that":   {[]string{frame(0xc1, final+again), frame(0xc1, again)}, []string{"HelloHello", "Hello"}},
		"no bytes":             {[]string{frame(0xc1, ""), frame(0xc1, hello)}, []string{"", "Hello"}},
		"an empty message":     {[]string{frame(0xc1, "\x00"), frame(0xc1, hello)}, []string{"", "Hello"}},
		"no deflate":           {[]string{frame(0xc1, "no deflate"), frame(0xc1, hello)}, []string{"", ""}},
		"a continuation":       {[]string{frame(0x41, hello[:3]), frame(0x80, hello[3:]), frame(0xc1, again)}, []string{"He", "", "Hello"}},
		"a ping between":       {[]string{frame(0x41, hello[:3]), frame(0x89, "a"), frame(0x80, hello[3:])}, []string{"He", "a", ""}},
		"one without deflate":  {[]string{frame(0xc1, hello), frame(0x01, "a"), frame(0x80, "b")}, []string{"Hello", "a", "b"}},
		"another reserved bit": {[]string{frame(0xa1, hello)}, []string{""}},
	} {
		f := &framer{direction: plan.Down, shared: &conversation{}, want: textKept}
		split(f, []byte(deflateResponse), every(7))
		for n, frame := range c.frames {
			split(f, []byte(frame), every(3))
			if text := f.text(); text != c.texts[n] {
				t.Errorf("%s: the text of frame %d is %q, want %q", name, n+1, text, c.texts[n])
			}
		}
	}
}
