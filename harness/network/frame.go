package network

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"

	"github.com/gobwas/ws"

	"redial/harness/plan"
)

// This file and http.go find where a frame ends and the next begins, without decoding their
// content. Read [framer] first.
//
// A conversation starts as HTTP/1.1 (RFC 9112): each request and each response with its body
// is a frame, and so is an interim response (1xx). After a 101 to "websocket", every WebSocket
// frame (RFC 6455, section 5.2) is a frame, fragments and control frames included. Any other
// stream is opaque: each chunk that was read counts as a frame.
//
// net/http parses the head of an HTTP message, and gobwas/ws that of a WebSocket frame; http.go finds
// only the end of a body.

const (
	// maxPayload is how much of a WebSocket frame's payload Match can see.
	maxPayload = 256
	// maxBody is how much of an HTTP body or a compressed message Match can see, and so how
	// much is held for it. Engine.IO refuses payloads over 1 MB by default.
	maxBody = 4 << 20
	// maxHead is the longest HTTP head; a longer one makes the stream opaque.
	maxHead = 64 << 10
	// maxPending is the number of unanswered requests that are remembered.
	maxPending = 4096
	// separator stands between the packets of an Engine.IO polling payload.
	separator = 0x1e
)

// A framer finds the frames in one direction of a connection. It gets every byte of the
// stream, in chunks of any size, through scan.
type framer struct {
	direction plan.Direction
	shared    *conversation

	// want is how many bytes of the current frame's payload to keep. It is set
	// between frames.
	want    int
	payload []byte
	// startLine is the first line of an HTTP message's head, if want is not 0.
	startLine string
	// plain means that the payload is readable: not compressed in a way that is not read, and not
	// a continuation frame.
	plain bool
	// compressed means that the frame is of a compressed WebSocket message, also between its frames.
	compressed bool
	inflater   inflater
	// encoding is that of an HTTP body: gzip, deflate or none.
	encoding string
	// packets means that the payload is an HTTP body, which may contain several packets, and
	// events that it has server-sent events instead, and may never end.
	packets, events bool

	inside bool // a frame has begun and has not ended
	step   func(f *framer, data []byte) (n int, ended bool)
	head   []byte    // of an HTTP message, a chunk or a WebSocket frame
	header ws.Header // the head of a WebSocket frame, as soon as that is complete
	reader headReader
	left   uint64 // bytes of body, chunk or payload that have not come yet
}

// A headReader reads the heads of WebSocket frames without an allocation for each.
type headReader struct {
	bytes.Reader
	buffer [ws.MaxHeaderSize]byte
}

// conversation is the state that the framers of a connection's two directions share.
type conversation struct {
	mu      sync.Mutex
	current protocol
	pending []request // not answered yet, oldest first
	deflate bool      // WebSocket messages may be compressed
}

type protocol int

const (
	protocolHTTP protocol = iota
	protocolWebSocket
	protocolOpaque
)

// request is what a framer must know about a request to find the end of its response.
type request struct {
	method  string
	upgrade bool
}

// scan takes the n bytes at the start of data that belong to one frame, at least one if there
// is any. If ended is true, the frame is complete; otherwise the frame includes all of data and
// goes on.
func (f *framer) scan(data []byte) (n int, ended bool) {
	for n < len(data) && !ended {
		if !f.inside {
			f.begin(data[n])
		}
		var taken int
		taken, ended = f.step(f, data[n:])
		n += taken
		f.inside = !ended
	}
	if ended && f.inflates() {
		f.inflater.end(f)
	}
	return n, ended
}

// finish is called at the end of the stream. It returns true if that completes a frame: a
// response without a length ends with its connection.
func (f *framer) finish() (ended bool) {
	ended = f.inside && f.left == untilEnd
	f.inside = f.inside && !ended
	return ended
}

// untilEnd as a length means that the body ends with the connection.
const untilEnd = ^uint64(0)

func (f *framer) begin(first byte) {
	f.inside = true
	f.head, f.payload = f.head[:0], f.payload[:0]
	f.header, f.left = ws.Header{}, 0
	f.plain, f.packets, f.events, f.startLine, f.encoding = true, false, false, "", ""
	switch f.shared.next(f.direction, first) {
	case protocolHTTP:
		f.packets = true
		f.step = (*framer).httpHead
	case protocolWebSocket:
		f.step = (*framer).webSocketHead
	default:
		f.step = (*framer).opaque
	}
}

// keep adds data to the payload, up to want bytes.
func (f *framer) keep(data []byte) {
	at := len(f.payload)
	f.payload = append(f.payload, data[:min(len(data), max(0, f.want-at))]...)
	if f.header.Masked {
		ws.Cipher(f.payload[at:], f.header.Mask, at)
	}
}

// matches tells whether the payload, as it is or made [readable], begins with match. In an
// HTTP body, any packet of the Engine.IO payload may begin with it. While decided is false,
// more of the frame is needed.
func (f *framer) matches(match string, ended bool) (yes, decided bool) {
	switch {
	case match == "":
		return true, true
	case f.packets && (f.events || !f.plain):
		return false, true
	case f.packets:
		if !ended && len(f.payload) < maxBody {
			return false, false
		}
		for packet := range bytes.SplitSeq(f.content(), []byte{separator}) {
			text, _ := readable(packet)
			if bytes.HasPrefix(packet, []byte(match)) || strings.HasPrefix(text, match) {
				return true, true
			}
		}
		return false, true
	case !ended && f.mayInflate() && len(f.payload) < maxBody:
		return false, false
	case !f.plain && len(f.payload) > 0:
		return false, true
	}
	text, partial := readable(f.payload)
	if bytes.HasPrefix(f.payload, []byte(match)) || strings.HasPrefix(text, match) {
		return true, true
	}
	possible := partial || strings.HasPrefix(match, text)
	return false, !possible || ended || len(f.payload) >= f.want
}

// content is the payload without the body's compression, as far as it has come. Socket.IO servers
// compress an answer to a poll from 1 kB on for a client that accepts it, as browsers do.
func (f *framer) content() []byte {
	if f.encoding == "" {
		return f.payload
	}
	kept := bytes.NewReader(f.payload)
	var plain io.Reader
	var err error
	if f.encoding == "gzip" {
		plain, err = gzip.NewReader(kept)
	} else { // "deflate" is the zlib format (RFC 9110, section 8.4.1.2)
		plain, err = zlib.NewReader(kept)
	}
	if err != nil {
		return nil
	}
	content, _ := io.ReadAll(io.LimitReader(plain, maxBody)) // an error where only the beginning was kept
	return content
}

// wanted is how much of a frame's payload must be kept to match it.
func (f *framer) wanted() int {
	if f.shared.protocol() == protocolHTTP {
		return maxBody
	}
	return maxPayload
}

func (f *framer) opaque(data []byte) (int, bool) {
	f.keep(data)
	return len(data), true
}

// giveUp makes the stream opaque from the end of this chunk.
func (f *framer) giveUp(data []byte) (int, bool) {
	f.shared.mu.Lock()
	f.shared.current = protocolOpaque
	f.shared.mu.Unlock()
	f.packets = false
	f.keep(f.head)
	return len(data), true
}

// webSocketHead takes a frame's head: 2 to 14 bytes.
func (f *framer) webSocketHead(data []byte) (int, bool) {
	before := len(f.head)
	f.head = append(f.head, data[:min(len(data), ws.MaxHeaderSize-before)]...)
	f.reader.Reset(f.head)
	header, err := ws.ReadHeaderBuffer(&f.reader, f.reader.buffer[:])
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return len(data), false
	case err != nil: // the length is invalid: the frame does not end
		header.Length = math.MaxInt64
	}
	f.header, f.left, f.step = header, uint64(header.Length), (*framer).webSocketData
	begins := header.OpCode == ws.OpText || header.OpCode == ws.OpBinary
	f.plain = begins && header.Rsv == 0
	if begins {
		f.compressed = header.Rsv == ws.Rsv(true, false, false) && f.shared.deflates()
	}
	if f.inflates() && !f.inflater.lost {
		f.want = maxBody
	}
	return len(f.head) - f.reader.Len() - before, f.left == 0
}

// inflates tells whether the current frame is a part of a compressed message, and no control frame.
func (f *framer) inflates() bool {
	return f.compressed && !f.header.OpCode.IsControl() && f.shared.protocol() == protocolWebSocket
}

// mayInflate tells whether the end of the current frame may make its payload readable.
func (f *framer) mayInflate() bool {
	return f.inflates() && !f.inflater.lost && f.header.OpCode != ws.OpContinuation
}

func (f *framer) webSocketData(data []byte) (int, bool) {
	n := int(min(uint64(len(data)), f.left))
	f.keep(data[:n])
	f.left -= uint64(n)
	return n, f.left == 0
}

// next returns the protocol of the frame whose first byte is given.
func (t *conversation) next(direction plan.Direction, first byte) protocol {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != protocolHTTP || direction == plan.Down {
		return t.current
	}
	// A client may send WebSocket frames before the answer to its upgrade. No HTTP method
	// begins with the first byte of such a frame.
	upgrading := len(t.pending) > 0 && t.pending[len(t.pending)-1].upgrade
	if upgrading && (first < 'A' || first > 'Z') && first != '\r' && first != '\n' {
		return protocolWebSocket
	}
	return protocolHTTP
}

func (t *conversation) protocol() protocol {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

func (t *conversation) deflates() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.deflate
}

func (t *conversation) asked(r request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) < maxPending {
		t.pending = append(t.pending, r)
	}
}

// answers returns the request that the next response is for.
func (t *conversation) answers() request {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) == 0 {
		return request{method: http.MethodGet}
	}
	return t.pending[0]
}

// answered records the response to a request. An interim response leaves the request pending.
func (t *conversation) answered(to request, r *http.Response) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch code := r.StatusCode; {
	case code == http.StatusSwitchingProtocols && strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		t.current = protocolWebSocket
		t.deflate = strings.Contains(strings.Join(r.Header.Values("Sec-WebSocket-Extensions"), ","), "permessage-deflate")
	case code == http.StatusSwitchingProtocols:
		t.current = protocolOpaque
	case code/100 == 1:
		return
	case to.method == http.MethodConnect && code < 300:
		t.current = protocolOpaque
	}
	if len(t.pending) > 0 {
		t.pending = t.pending[1:]
	}
}
