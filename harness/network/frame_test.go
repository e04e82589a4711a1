package network

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"redial/harness/plan"
)

// frameBytes makes a WebSocket frame (RFC 6455, section 5.2).
func frameBytes(first byte, payload []byte, mask []byte) []byte {
	head := []byte{first, 0}
	switch n := len(payload); {
	case n < 126:
		head[1] = byte(n)
	case n < 1<<16:
		head[1] = 126
		head = binary.BigEndian.AppendUint16(head, uint16(n))
	default:
		head[1] = 127
		head = binary.BigEndian.AppendUint64(head, uint64(n))
	}
	payload = slices.Clone(payload)
	if mask != nil {
		head[1] |= 0x80
		head = append(head, mask...)
		for i := range payload {
			payload[i] ^= mask[i%4]
		}
	}
	return append(head, payload...)
}

// split feeds stream to f in chunks of the sizes that next returns, and returns the frames that
// f found and the bytes after them.
func split(f *framer, stream []byte, next func() int) (frames [][]byte, rest []byte) {
	for len(stream) > 0 {
		chunk := stream[:min(len(stream), next())]
		stream = stream[len(chunk):]
		for len(chunk) > 0 {
			n, ended := f.scan(chunk)
			rest = append(rest, chunk[:n]...)
			chunk = chunk[n:]
			if ended {
				frames = append(frames, rest)
				rest = nil
			}
		}
	}
	return frames, rest
}

func every(n int) func() int { return func() int { return n } }

const (
	upgradeRequest  = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	upgradeResponse = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
)

// conversations are the frames of each direction of a connection.
var conversations = map[string]struct{ up, down []string }{
	"lengths and chunks": {
		up: []string{
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			"POST /socket.io/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n40",
			"\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
			"GET /cached HTTP/1.1\nHost: a\n\n",
		},
		down: []string{
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\r\n\r\n\n\r\n0\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
			"HTTP/1.1 204 No Content\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n",
		},
	},
	"websocket after a poll": {
		up: []string{
			"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n",
			upgradeRequest,
			string(frameBytes(0x81, []byte("2probe"), []byte{1, 2, 3, 4})),
			string(frameBytes(0x01, []byte("42[\"chat"), []byte{'G', 'E', 'T', ' '})),
			string(frameBytes(0x89, nil, []byte{0, 0, 0, 0})),
			string(frameBytes(0x80, []byte(" message\"]"), []byte{9, 8, 7, 6})),
		},
		down: []string{
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n0{}",
			upgradeResponse,
			string(frameBytes(0x81, []byte("3probe"), nil)),
			string(frameBytes(0x82, bytes.Repeat([]byte{7}, 126), nil)),
			string(frameBytes(0x88, []byte{3, 232}, nil)),
		},
	},
	"upgrade refused": {
		up: []string{upgradeRequest, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		down: []string{
			"HTTP/1.1 400 Bad Request\r\nContent-Length: 1\r\n\r\n!",
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.",
		},
	},
}

func TestFramesAtEverySplit(t *testing.T) {
	for name, c := range conversations {
		t.Run(name, func(t *testing.T) {
			for size := 1; size < 300; size++ {
				checkFrames(t, c.up, c.down, every(size))
			}
			both := len(strings.Join(c.up, "")) + len(strings.Join(c.down, ""))
			for cut := 1; cut < both; cut++ {
				first := cut
				checkFrames(t, c.up, c.down, func() int { n := first; first = both; return n })
			}
		})
	}
}

// checkFrames feeds a conversation in turns (a frame up, its answer down, …), as a client that
// waits for answers sends it, and compares the frames found.
func checkFrames(t *testing.T, ups, downs []string, next func() int) {
	t.Helper()
	shared := &conversation{}
	upward := &framer{direction: plan.Up, shared: shared}
	downward := &framer{direction: plan.Down, shared: shared}
	for len(ups) > 0 || len(downs) > 0 {
		if len(ups) > 0 {
			found, rest := split(upward, []byte(ups[0]), next)
			if len(found) != 1 || len(rest) != 0 || string(found[0]) != ups[0] {
				t.Fatalf("up: found %d frames %.80q and a rest %.80q, want one frame %.80q", len(found), found, rest, ups[0])
			}
			ups = ups[1:]
		}
		for len(downs) > 0 {
			found, rest := split(downward, []byte(downs[0]), next)
			if len(found) != 1 || len(rest) != 0 || string(found[0]) != downs[0] {
				t.Fatalf("down: found %d frames %.80q and a rest %.80q, want one frame %.80q", len(found), found, rest, downs[0])
			}
			interim := strings.HasPrefix(downs[0], "HTTP/1.1 103")
			downs = downs[1:]
			if !interim && len(ups) > 0 {
				break
			}
		}
	}
}

func TestFramesOfEveryLength(t *testing.T) {
	for _, length := range []int{0, 1, 125, 126, 127, 65535, 65536, 2 << 20} {
		for _, mask := range [][]byte{nil, {1, 2, 3, 4}} {
			one := frameBytes(0x82, bytes.Repeat([]byte("x"), length), mask)
			want := [][]byte{one, frameBytes(0x81, []byte("next"), mask)}
			f := &framer{direction: plan.Down, shared: &conversation{current: protocolWebSocket}}
			got, rest := split(f, slices.Concat(want...), every(4099))
			if len(rest) > 0 || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("length %d, mask %v: found %d frames and a rest of %d bytes, want 2 and none", length, mask, len(got), len(rest))
			}
		}
	}
}

// Pipelined messages are found whatever the sizes of the chunks.
func TestFramesInRandomChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 600)
		chunked := rapid.Custom(func(t *rapid.T) string {
			var b strings.Builder
			for _, piece := range rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 40), 0, 4).Draw(t, "chunks") {
				fmt.Fprintf(&b, "%x\r\n%s\r\n", len(piece), piece)
			}
			return b.String() + "0\r\n\r\n"
		})
		message := rapid.Custom(func(t *rapid.T) []byte {
			if rapid.Bool().Draw(t, "chunked") {
				return []byte("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked.Draw(t, "body"))
			}
			b := body.Draw(t, "body")
			return fmt.Appendf(nil, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
		})
		wsFrame := rapid.Custom(func(t *rapid.T) []byte {
			first := rapid.SampledFrom([]byte{0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8a, 0xc1}).Draw(t, "first")
			n := rapid.SampledFrom([]int{0, 1, 5, 125, 126, 300, 65535, 65536}).Draw(t, "length")
			var mask []byte
			if rapid.Bool().Draw(t, "masked") {
				mask = rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "mask")
			}
			return frameBytes(first, bytes.Repeat([]byte{0x42}, n), mask)
		})
		f := &framer{direction: plan.Up, shared: &conversation{}}
		var want [][]byte
		if rapid.Bool().Draw(t, "websocket") {
			f.shared.current = protocolWebSocket
			want = rapid.SliceOfN(wsFrame, 1, 8).Draw(t, "frames")
		} else {
			want = rapid.SliceOfN(message, 1, 8).Draw(t, "messages")
		}
		size := rapid.IntRange(1, 3000)
		got, rest := split(f, slices.Concat(want...), func() int { return size.Draw(t, "chunk") })
		if len(rest) > 0 || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("found %d frames and a rest of %d bytes, want %d and none", len(got), len(rest), len(want))
		}
	})
}

func TestWhatIsNotHTTPIsOpaque(t *testing.T) {
	for name, stream := range map[string]string{
		"TLS":            "\x16\x03\x01\x02\x00",
		"HTTP/2":         "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"lower case":     "get / HTTP/1.1\r\n\r\n",
		"no request":     "HELLO\r\n\r\n",
		"an endless one": strings.Repeat("A", 200),
		"a huge head":    "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 2*maxHead),
	} {
		shared := &conversation{}
		f := &framer{direction: plan.Up, shared: shared}
		split(f, []byte(stream), every(1<<20))
		if shared.current != protocolOpaque {
			t.Errorf("%s: taken for HTTP", name)
		}
		if n, ended := f.scan([]byte("a chunk")); n != 7 || !ended {
			t.Errorf("%s: the next chunk is no frame: %d, %v", name, n, ended)
		}
	}
}

func TestResponseUntilTheEndIsInTheTraffic(t *testing.T) {
	r, traffic := newRig(t), &Traffic{}
	r.proxy.events.Traffic = traffic
	var err error
	if r.link, err = r.proxy.Link("bob"); err != nil {
		t.Fatal(err)
	}
	client, server := r.connect()
	server.send("HTTP/1.0 200 OK\r\n\r\nuntil the end")
	server.CloseWrite()
	client.receive("HTTP/1.0 200 OK\r\n\r\nuntil the end")
	client.receiveEnd(io.EOF)
	frames, _, _ := traffic.Recorded()
	if len(frames) != 1 || frames[0].Text != "HTTP/1.0 200 OK\nuntil the end" || frames[0].Lost {
		t.Errorf("the frames are %+v", frames)
	}
}

func TestResponseUntilTheEnd(t *testing.T) {
	f := &framer{direction: plan.Down, shared: &conversation{}}
	frames, rest := split(f, []byte("HTTP/1.0 200 OK\r\n\r\nuntil the end"), every(3))
	if len(frames) != 0 || len(rest) == 0 {
		t.Fatalf("found %d frames before the end", len(frames))
	}
	if !f.finish() {
		t.Error("the end of the stream did not end the frame")
	}
}

// Packets of socket.io 4.8 and its client with socket.io-msgpack-parser 3.0.2, in the namespace
// /chat. An argument makes the event longer than maxPayload.
var (
	connectPack = []byte("\x83\xa4type\x00\xa4data\x81\xa5token\xa1x\xa3nsp\xa5/chat")
	eventPack   = []byte("\x83\xa4type\x02\xa4data\x92\xacchat message\xda\x02\x00" + strings.Repeat("x", 512) + "\xa3nsp\xa5/chat")
	ackPack     = []byte("\x84\xa2id\x00\xa4type\x03\xa4data\x91\x81\xa2ok\x01\xa3nsp\xa5/chat")
)

func TestMatchesThePayloadOfAFrame(t *testing.T) {
	http := func(body string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	mask := []byte{5, 6, 7, 8}
	for _, c := range []struct {
		name, frame, match string
		want               bool
	}{
		{"masked text", string(frameBytes(0x81, []byte(`42["chat message","hi"]`), mask)), `42["chat message"`, true},
		{"binary", string(frameBytes(0x82, []byte("40{}"), nil)), "40", true},
		{"another packet", string(frameBytes(0x81, []byte("41"), mask)), "40", false},
		{"shorter than the match", string(frameBytes(0x81, []byte("4"), mask)), "40", false},
		{"an empty frame", string(frameBytes(0x81, nil, mask)), "4", false},
		{"a control frame", string(frameBytes(0x89, []byte("40"), mask)), "40", false},
		{"a continuation", string(frameBytes(0x80, []byte("40"), mask)), "40", false},
		{"compressed", string(frameBytes(0xc1, []byte("40"), mask)), "40", false},
		{"the first packet of a body", http("40\x1e42[\"a\"]"), "40", true},
		{"the second packet of a body", http("40\x1e42[\"a\"]"), `42["a"`, true},
		{"in the middle of a packet", http("40\x1e42[\"a\"]"), `"a"`, false},
		{"the head", http("40"), "POST", false},
		{"no body", http(""), "40", false},
		{"an event of another namespace", string(frameBytes(0x81, []byte(`42/chat,["chat message","hi"]`), mask)), `42["chat message"`, true},
		{"an event with its namespace", string(frameBytes(0x81, []byte(`42/chat,["chat message","hi"]`), mask)), `42/chat,["chat`, true},
		{"an event of another name", string(frameBytes(0x81, []byte(`42/chat,["chat","chat message"]`), mask)), `42["chat message"`, false},
		{"no end of the namespace", string(frameBytes(0x81, []byte(`41/chat`), mask)), `42`, false},
		{"a namespace in a body", http("2\x1e42/chat,17[\"a\"]"), `4217["a"`, true},
		{"MessagePack: connect", string(frameBytes(0x82, connectPack, mask)), "40{", true},
		{"MessagePack: an event", string(frameBytes(0x82, eventPack, nil)), `42["chat message"`, true},
		{"MessagePack: another event", string(frameBytes(0x82, eventPack, nil)), `42["chat"`, false},
		{"MessagePack: an event is no acknowledgement", string(frameBytes(0x82, eventPack, nil)), "43", false},
		{"MessagePack: an acknowledgement", string(frameBytes(0x82, ackPack, nil)), "43", true},
		{"MessagePack: it has an id", string(frameBytes(0x82, ackPack, nil)), "430[", true},
		{"MessagePack: disconnect", string(frameBytes(0x82, []byte("\x82\xa4type\x01\xa3nsp\xa1/"), nil)), "41", true},
		{"MessagePack: in a body", http("2\x1eb" + base64.StdEncoding.EncodeToString(ackPack)), "43", true},
		{"an attachment that is a map", string(frameBytes(0x82, []byte("\x81\xa4name\x02"), nil)), "42", false},
		{"an attachment with a type", string(frameBytes(0x82, []byte("\x81\xa4type\xa12"), nil)), "42", false},
	} {
		for _, size := range []int{1, 3, 1 << 20} {
			f := &framer{direction: plan.Up, shared: &conversation{}}
			if !strings.HasPrefix(c.frame, "POST") {
				f.shared.current = protocolWebSocket
			}
			f.want = f.wanted()
			var got, decided bool
			for at := 0; at < len(c.frame) && !decided; {
				n, ended := f.scan([]byte(c.frame[at:min(len(c.frame), at+size)]))
				got, decided = f.matches(c.match, ended)
				at += n
			}
			if got != c.want || !decided {
				t.Errorf("%s, in chunks of %d: %q matches: %v (decided: %v), want %v", c.name, size, c.match, got, decided, c.want)
			}
		}
	}
}

// A body in which no packet can be found passes while a fault waits for one: it may never end.
func TestBodyThatHasNoPacketsIsNotHeld(t *testing.T) {
	for _, header := range []string{"Content-Type: Text/Event-Stream;charset=utf-8", "Content-Encoding: br"} {
		f := &framer{direction: plan.Down, shared: &conversation{}}
		f.want = f.wanted()
		split(f, []byte("HTTP/1.1 200 OK\r\n"+header+"\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 40\n\r\n"), every(7))
		if yes, decided := f.matches("40", false); yes || !decided {
			t.Errorf("%s: it matches: %v (decided: %v)", header, yes, decided)
		}
	}
}

func TestCompressedBody(t *testing.T) {
	compressed := func(writer func(io.Writer) io.WriteCloser) string {
		var packed bytes.Buffer
		w := writer(&packed)
		if _, err := w.Write([]byte("2\x1e40{\"sid\":\"x\"}\x1e42[\"a\"]")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return packed.String()
	}
	zipped := compressed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	for _, c := range []struct {
		encoding, body string
		want           bool
	}{
		{"gzip", zipped, true},
		{"GZIP", zipped, true},
		{"deflate", compressed(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }), true},
		{"gzip", zipped[:len(zipped)-8] + "        ", true}, // with another checksum, which is the client's affair
		{"gzip", "40 is no gzip", false},
		{"deflate", "40", false},
		{"br", "40", false}, // not read
	} {
		f := &framer{direction: plan.Down, shared: &conversation{}}
		f.want = f.wanted()
		split(f, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", c.encoding, len(c.body), c.body), every(7))
		if yes, decided := f.matches("40", true); yes != c.want || !decided {
			t.Errorf("%s: %q matches: %v (decided: %v)", c.encoding, c.body, yes, decided)
		}
		if text := f.text(); strings.Contains(text, "\x1e40{") != c.want {
			t.Errorf("%s: its text is %q", c.encoding, text)
		}
	}
}
