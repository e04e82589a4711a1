package wire

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws/wsutil"
	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"redial/harness/history"
	"redial/harness/protocol"
)

func packetOf(kind parser.PacketType, data any) *parser.Packet {
	return &parser.Packet{Type: kind, Nsp: "/chat", Data: data}
}

func base64Of(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

// official has packets of socket.io 4.8 and its client, encoded by socket.io-msgpack-parser 3.0.2
// (notepack.io 2.2.0).
var official = map[string]*parser.Packet{
	"\x83\xa4type\x00\xa4data\x81\xa5token\xa1x\xa3nsp\xa5/chat":                                packetOf(parser.CONNECT, map[string]any{"token": "x"}),
	"\x82\xa4type\x01\xa3nsp\xa5/chat":                                                          packetOf(parser.DISCONNECT, nil),
	"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa5/chat":                                      packetOf(parser.CONNECT, nil),
	"\x83\xa4type\x04\xa4data\x82\xa7message\xa4nope\xa4data\xd4\x00\x00\xa3nsp\xa5/chat":       packetOf(parser.CONNECT_ERROR, map[string]any{"message": "nope", "data": nil}),
	"\x84\xa2id\x00\xa4type\x03\xa4data\x91\x81\xa2ok\x01\xa3nsp\xa5/chat":                      withID(0, packetOf(parser.ACK, []any{map[string]any{"ok": 1.0}})),
	"\x83\xa4type\x02\xa4data\x94\xacchat message\xa2hi\x0c\xa7Q8YVtSn\xa3nsp\xa5/chat":         packetOf(parser.EVENT, []any{"chat message", "hi", 12.0, "Q8YVtSn"}),
	"\x84\xa4type\x02\xa4data\x91\xa3bye\xa7options\x81\xa8compress\xc3\xa3nsp\xa5/chat":        packetOf(parser.EVENT, []any{"bye"}),
	"\x85\xa4type\x02\xa4data\x92\xa1m\x91\xc4\x02hi\xa7options\x80\xa2id\x03\xa3nsp\xa5/chat":  withID(3, packetOf(parser.EVENT, []any{"m", []any{types.NewBytesBuffer([]byte("hi"))}})),
	"\x83\xa4type\x02\xa4data\x93\xa1m\xd4\x00\x00\xc7\x01\x00\x01\xa3nsp\xa5/chat":             packetOf(parser.EVENT, []any{"m", nil, types.NewBytesBuffer([]byte{1})}),
	"\x83\xa4type\x02\xa4data\x92\xa1m\xd7\x00\x00\x00\x00\x00\x00\x00\x00\x00\xa3nsp\xa5/chat": packetOf(parser.EVENT, []any{"m", types.NewBytesBuffer(make([]byte, 8))}),
	"\x83\xa4type\x02\xa4data\x92\xa1m\x97\xc0\xc3\xfd\xcd\x01,\xcb?\xf8\x00\x00\x00\x00\x00\x00\xcf\x00\x00\x01\x00\x00\x00\x00\x00\xd1\xff8\xa3nsp\xa5/chat": packetOf(
		parser.EVENT, []any{"m", []any{nil, true, -3.0, 300.0, 1.5, 1099511627776.0, -200.0}}),
	"\x83\xa4type\x02\xa4data\xdc\x00\x11\xa1m\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\xa3nsp\xa5/chat": packetOf(
		parser.EVENT, []any{"m", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0}),
}

func withID(id uint64, p *parser.Packet) *parser.Packet { p.Id = &id; return p }

func TestMessagePackDecodesPacketsOfTheOfficialParser(t *testing.T) {
	for data, want := range official {
		got, err := decodeMessagePack([]byte(data))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v\n want %+v", data, got, err, want)
		}
		for cut := range len(data) {
			if _, err := decodeMessagePack([]byte(data[:cut])); err == nil {
				t.Errorf("%q is no packet", data[:cut])
			}
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, data := range map[string]string{
		"empty":          "",
		"no map":         "\x01",
		"no such type":   "\x82\xa4type\x05\xa3nsp\xa1/",
		"no namespace":   "\x81\xa4type\x01",
		"a map of null":  "\x83\xa4type\x02\xa4data\xc0\xa3nsp\xa1/",
		"trailing bytes": "\x82\xa4type\x01\xa3nsp\xa1/\x00",
		"too deep":       "\x83\xa4type\x02\xa3nsp\xa1/\xa4data" + strings.Repeat("\x91", 1<<20) + "\x01",
		"no such length": "\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xc9\xff\xff\xff\xff\x00",
		"numbered keys":  "\x81\x01\x01",
	} {
		if p, err := decodeMessagePack([]byte(data)); err == nil {
			t.Errorf("%s: read as %+v", name, p)
		}
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20 {
		t.Errorf("broken packets took %d bytes", after.TotalAlloc-before.TotalAlloc)
	}
}

func TestMessagePackEncodesAsTheOfficialParser(t *testing.T) {
	for want, p := range map[string]*parser.Packet{
		"\x83\xa4type\x00\xa4data\x81\xa5token\xa1x\xa3nsp\xa5/chat": packetOf(parser.CONNECT, map[string]any{"token": "x"}),
		"\x82\xa4type\x00\xa3nsp\xa5/chat":                           packetOf(parser.CONNECT, nil), // the official parser has an undefined data, and decodes this too
		"\x84\xa4type\x02\xa4data\x95\xa1m\x07\xcb?\xf8\x00\x00\x00\x00\x00\x00\xcd\x01,\xc4\x02hi\xa2id\x00\xa3nsp\xa5/chat": withID(0,
			packetOf(parser.EVENT, []any{"m", 7.0, 1.5, int64(300), []byte("hi")})),
	} {
		if got := encodeMessagePack(p); !bytes.Equal(got, []byte(want)) {
			t.Errorf("%+v:\n got %q\nwant %q", p, got, want)
		}
	}
}

func TestWireSendsAndReceivesMessagePack(t *testing.T) {
	p := roomProtocol()
	p.Parser = protocol.MessagePack
	bubbleWith(t, p, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		write := func(p *peer, packet *parser.Packet) {
			t.Helper()
			if err := wsutil.WriteServerBinary(p.conn, encodeMessagePack(packet)); err != nil {
				t.Fatal(err)
			}
		}
		read := func(p *peer) *parser.Packet {
			t.Helper()
			data, _, err := wsutil.ReadClientData(p.conn)
			if err != nil {
				t.Fatal(err)
			}
			packet, err := decodeMessagePack(data)
			if err != nil {
				t.Fatalf("%q: %v", data, err)
			}
			return packet
		}
		open(t, w)
		sendAll(t, w, "one")
		server := m.accept(t)
		server.send(openText)
		if got := read(server); !reflect.DeepEqual(got, packetOf(parser.CONNECT, map[string]any{"token": "t-ann", "since": 0.0})) {
			t.Errorf("the connect packet is %+v", got)
		}
		write(server, packetOf(parser.CONNECT, map[string]any{"sid": "s1"}))
		sent := read(server)
		if body := sent.Data.([]any)[1].(map[string]any)["body"]; body != "one" || sent.Id == nil || *sent.Id != 0 {
			t.Errorf("the message is %+v", sent)
		}
		write(server, withID(0, packetOf(parser.ACK, []any{})))
		write(server, packetOf(parser.EVENT, []any{"new", map[string]any{"body": []byte("hi"), "seq": uint64(4)}}))
		synctest.Wait()
		server.send(`42/chat,["new",{"body":"text","seq":5}]`) // JSON is a parse error
		wantHistory(t, r, "opened", "sent one", "connected", "acknowledged one", "shown binary:aGk= #4", "disconnected parse error")
	})
}
