package network

import (
	"bytes"
	"net/http"
	"strings"
	"sync"

	"redial/harness/plan"
)

// Finding frames: where one ends and the next begins, without decoding what is
// in them. Read [framer] first.
//
// A conversation starts as HTTP/1.1 (RFC 9112): each request and each response,
// body included, is a frame; an interim response (1xx) is one of its own. After a
// 101 to "websocket" every WebSocket frame (RFC 6455, section 5.2) is a frame, be
// it a fragment or a control frame. What is neither is opaque: each chunk as it
// was read is a frame then.
//
// The head of an HTTP message is parsed by net/http, the one HTTP library that is
// always there; only where its body ends is found here.

const (
	// maxPayload is how much of a WebSocket frame's payload Match can look at.
	maxPayload = 256
	// maxBody is how much of an HTTP body Match can look at. Engine.IO refuses
	// payloads over 1 MB by default.
	maxBody = 4 << 20
	// maxHead is the longest HTTP head that is still taken for one.
	maxHead = 64 << 10
	// maxPending is the number of unanswered requests that are remembered.
	maxPending = 4096
	// separator stands between the packets of an Engine.IO polling payload.
	separator = 0x1e
)

// A framer finds the frames in one direction of a connection. It is fed every
// byte of the stream, in chunks of any size, through scan.
type framer struct {
	direction plan.Direction
	talk      *conversation

	// want is how many bytes of the current frame's payload to keep. It is set
	// between frames.
	want    int
	payload []byte
	// startLine is the first line of an HTTP message's head, for who wants its payload.
	startLine string
	// plain tells that payload can be looked at: neither compressed nor the
	// continuation of something.
	plain bool
	// packets tells that the payload is a body that may hold several packets.
	packets bool

	inside bool // a frame has begun and has not ended
	step   func(f *framer, data []byte) (n int, ended bool)
	head   []byte // of an HTTP message, a chunk or a WebSocket frame
	left   uint64 // bytes of body, chunk or payload that are to come
	mask   [4]byte
	masked bool
	at     int // position in the payload, for the mask
}

// conversation is what the two directions of a connection know of each other.
type conversation struct {
	mu      sync.Mutex
	speaks  protocol
	pending []request // not answered yet, oldest first
}

type protocol int

const (
	speaksHTTP protocol = iota
	speaksWebSocket
	speaksOpaque
)

// request is what must be known of a request to read its response.
type request struct {
	method  string
	upgrade bool
}

// fresh tells whether the next byte begins a frame.
func (f *framer) fresh() bool { return !f.inside }

// scan takes the bytes at the start of data that belong to one frame: n of them,
// at least one when there is any. With ended the frame is complete with the last
// of them; otherwise all of data was taken and the frame goes on.
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
	return n, ended
}

// finish is called at the end of the stream. It tells whether that completes a
// frame: a response whose end is the end of the connection.
func (f *framer) finish() (ended bool) {
	ended = f.inside && f.left == untilEnd
	f.inside = f.inside && !ended
	return ended
}

// untilEnd as a length means: as long as the connection lasts.
const untilEnd = ^uint64(0)

func (f *framer) begin(first byte) {
	f.inside = true
	f.head, f.payload = f.head[:0], f.payload[:0]
	f.at, f.left = 0, 0
	f.plain, f.packets, f.masked, f.startLine = true, false, false, ""
	switch f.talk.next(f.direction, first) {
	case speaksHTTP:
		f.packets = true
		f.step = (*framer).httpHead
	case speaksWebSocket:
		f.step = (*framer).webSocketHead
	default:
		f.step = (*framer).opaque
	}
}

// keep adds to the payload what is still wanted of it.
func (f *framer) keep(data []byte) {
	for _, b := range data[:min(len(data), max(0, f.want-len(f.payload)))] {
		if f.masked {
			b ^= f.mask[f.at%4]
		}
		f.at++
		f.payload = append(f.payload, b)
	}
}

// matches tells whether the payload begins with match, as it is or made [readable]. In an
// HTTP body each packet of an Engine.IO payload (they are separated by 0x1e) may begin
// with it. Until decided, more of the frame must be seen.
func (f *framer) matches(match string, ended bool) (yes, decided bool) {
	switch {
	case match == "":
		return true, true
	case f.packets:
		// A body is judged as a whole: any packet in it may be the one.
		if !ended && len(f.payload) < maxBody {
			return false, false
		}
		for packet := range bytes.SplitSeq(f.payload, []byte{separator}) {
			text, _ := readable(packet)
			if bytes.HasPrefix(packet, []byte(match)) || strings.HasPrefix(text, match) {
				return true, true
			}
		}
		return false, true
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

// wanted is how much of a frame's payload must be kept to match it.
func (f *framer) wanted() int {
	if f.talk.protocol() == speaksHTTP {
		return maxBody
	}
	return maxPayload
}

func (f *framer) opaque(data []byte) (int, bool) {
	f.keep(data)
	return len(data), true
}

// giveUp goes on without knowledge of frames, from the end of this chunk.
func (f *framer) giveUp(data []byte) (int, bool) {
	f.talk.set(speaksOpaque)
	f.packets = false
	f.keep(f.head)
	return len(data), true
}

// ---- HTTP

// ---- WebSocket

// webSocketHead takes a frame's head: 2 to 14 bytes.
func (f *framer) webSocketHead(data []byte) (int, bool) {
	for i, b := range data {
		f.head = append(f.head, b)
		if len(f.head) < 2 || len(f.head) < webSocketHeadSize(f.head[1]) {
			continue
		}
		f.webSocketPayload()
		return i + 1, f.left == 0
	}
	return len(data), false
}

// webSocketHeadSize is the size of a head whose second byte is b.
func webSocketHeadSize(b byte) int {
	size := 2
	switch b & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if b&0x80 != 0 {
		size += 4
	}
	return size
}

// webSocketPayload reads a complete head.
func (f *framer) webSocketPayload() {
	const text, binary = 1, 2
	f.masked = f.head[1]&0x80 != 0
	length := f.head[2:]
	if f.masked {
		copy(f.mask[:], f.head[len(f.head)-4:])
		length = f.head[2 : len(f.head)-4]
	}
	f.left = uint64(f.head[1] & 0x7f)
	if len(length) > 0 {
		f.left = 0
		for _, b := range length {
			f.left = f.left<<8 | uint64(b)
		}
	}
	// The top bit must be zero. Cleared, a broken peer cannot pass for untilEnd.
	f.left &= untilEnd >> 1
	opcode, reserved := f.head[0]&0x0f, f.head[0]&0x70
	f.plain = (opcode == text || opcode == binary) && reserved == 0
	f.step = (*framer).webSocketData
}

func (f *framer) webSocketData(data []byte) (int, bool) {
	n := int(min(uint64(len(data)), f.left))
	f.keep(data[:n])
	f.left -= uint64(n)
	return n, f.left == 0
}

// ---- what one direction tells the other

// next says what the frame that begins with the byte first is.
func (t *conversation) next(direction plan.Direction, first byte) protocol {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.speaks != speaksHTTP || direction == plan.Down {
		return t.speaks
	}
	// A client that does not wait for the answer to its upgrade: no method
	// begins like the frames it may send then.
	upgrading := len(t.pending) > 0 && t.pending[len(t.pending)-1].upgrade
	if upgrading && (first < 'A' || first > 'Z') && first != '\r' && first != '\n' {
		return speaksWebSocket
	}
	return speaksHTTP
}

func (t *conversation) protocol() protocol {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.speaks
}

func (t *conversation) set(p protocol) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.speaks = p
}

func (t *conversation) asked(r request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) < maxPending {
		t.pending = append(t.pending, r)
	}
}

// answers is the request that the next response is for.
func (t *conversation) answers() request {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) == 0 {
		return request{method: http.MethodGet}
	}
	return t.pending[0]
}

// answered notes the response to a request. An interim one leaves it pending.
func (t *conversation) answered(to request, r *http.Response) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch code := r.StatusCode; {
	case code == http.StatusSwitchingProtocols && strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		t.speaks = speaksWebSocket
	case code == http.StatusSwitchingProtocols:
		t.speaks = speaksOpaque
	case code/100 == 1:
		return
	case to.method == http.MethodConnect && code < 300:
		t.speaks = speaksOpaque
	}
	if len(t.pending) > 0 {
		t.pending = t.pending[1:]
	}
}
