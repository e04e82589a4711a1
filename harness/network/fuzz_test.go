package network

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"redial/harness/plan"
)

// FuzzFramer checks for any bytes that each one is in exactly one frame, and that the ends of the
// frames do not depend on the chunks unless the stream is opaque.
func FuzzFramer(f *testing.F) {
	for _, c := range conversations {
		f.Add([]byte(strings.Join(c.up, "")), []byte(strings.Join(c.down, "")), uint8(3), false)
	}
	f.Add(frameBytes(0x82, connectPack, []byte{1, 2, 3, 4}), frameBytes(0x82, ackPack, nil), uint8(2), true)
	f.Add(frameBytes(0xc1, []byte("\x8a\x06\x00"), []byte{1, 2, 3, 4}), slices.Concat(frameBytes(0x41, []byte{0x32}, nil), frameBytes(0x89, nil, nil), frameBytes(0x80, []byte{0x04, 0x00}, nil)), uint8(2), true)
	f.Add(frameBytes(0x81, []byte("40"), []byte{1, 2, 3, 4}), []byte{0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255}, uint8(1), true)
	f.Fuzz(func(t *testing.T, ups, downs []byte, size uint8, webSocket bool) {
		play := func(size int) (ends [2][]int, opaque bool) {
			shared := &conversation{}
			if webSocket {
				shared.current, shared.deflate = protocolWebSocket, true
			}
			for i, stream := range [][]byte{ups, downs} {
				direction := []plan.Direction{plan.Up, plan.Down}[i]
				f := &framer{direction: direction, shared: shared}
				for at := 0; at < len(stream); {
					if !f.inside {
						f.want = f.wanted()
					}
					chunk := stream[at:min(len(stream), (at/size+1)*size)]
					n, ended := f.scan(chunk[:len(chunk):len(chunk)])
					if n < 1 || n > len(chunk) || (!ended && n != len(chunk)) {
						t.Fatalf("scan of %d bytes took %d, ended: %v", len(chunk), n, ended)
					}
					if len(f.payload) > f.want || len(f.head) > maxHead {
						t.Fatalf("kept %d bytes of payload and %d of a head", len(f.payload), len(f.head))
					}
					f.matches("42[", ended)
					at += n
					if ended {
						ends[i] = append(ends[i], at)
					}
				}
				f.finish()
			}
			return ends, shared.current == protocolOpaque
		}
		whole, opaque := play(1 << 20)
		pieces, opaqueInPieces := play(int(size) + 1)
		if opaque != opaqueInPieces {
			t.Fatalf("opaque as a whole: %v, in pieces: %v", opaque, opaqueInPieces)
		}
		if !opaque && !slices.Equal(whole[0], pieces[0]) {
			t.Fatalf("up: frames end at %v as a whole, at %v in pieces", whole[0], pieces[0])
		}
		if !opaque && !slices.Equal(whole[1], pieces[1]) {
			t.Fatalf("down: frames end at %v as a whole, at %v in pieces", whole[1], pieces[1])
		}
	})
}

// A counter counts the bytes read from a stream.
type counter struct {
	*bytes.Reader
	size int
}

func (c counter) at(buffered *bufio.Reader) int { return c.size - c.Len() - buffered.Buffered() }

// requestEnds returns the ends of the requests that net/http finds in a stream, up to the first
// one that it refuses or that asks for an upgrade.
func requestEnds(stream []byte) (ends []int) {
	all := counter{bytes.NewReader(stream), len(stream)}
	buffered := bufio.NewReader(all)
	for {
		r, err := http.ReadRequest(buffered)
		if err != nil {
			return ends
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return ends
		}
		ends = append(ends, all.at(buffered))
		if r.Header.Get("Upgrade") != "" {
			return ends
		}
	}
}

// responseEnds does the same for the responses to GETs.
func responseEnds(stream []byte) (ends []int) {
	all := counter{bytes.NewReader(stream), len(stream)}
	buffered := bufio.NewReader(all)
	for {
		r, err := http.ReadResponse(buffered, &http.Request{Method: http.MethodGet})
		if err != nil || r.StatusCode == http.StatusSwitchingProtocols {
			return ends
		}
		endless := r.ContentLength < 0 && len(r.TransferEncoding) == 0
		if _, err := io.Copy(io.Discard, r.Body); err != nil || endless {
			return ends
		}
		ends = append(ends, all.at(buffered))
	}
}

// webSocketEnds returns the ends of the frames as RFC 6455, section 5.2, defines them. The framer
// itself reads a frame's head with gobwas/ws.
func webSocketEnds(stream []byte) (ends []int) {
	for at := 0; at+2 <= len(stream); {
		size, extended := uint64(stream[at+1]&0x7f), 0
		switch size {
		case 126:
			extended = 2
		case 127:
			extended = 8
		}
		head := 2 + extended
		if stream[at+1]&0x80 != 0 {
			head += 4
		}
		if at+head > len(stream) {
			break
		}
		if extended > 0 {
			size = 0
		}
		for _, b := range stream[at+2 : at+2+extended] {
			size = size<<8 | uint64(b)
		}
		if size > uint64(len(stream)-at-head) {
			break
		}
		at += head + int(size)
		ends = append(ends, at)
	}
	return ends
}

// FuzzFrameEnds compares the ends of the frames with those that libraries find by decoding the
// content, as long as both understand the stream.
func FuzzFrameEnds(f *testing.F) {
	for _, c := range conversations {
		f.Add([]byte(strings.Join(c.up, "")), uint8(0))
		f.Add([]byte(strings.Join(c.down, "")), uint8(1))
	}
	poll := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n6\r\n00a ;x\r\n40\x1e42[\"a\"]\r\n0\r\n\r\n"
	f.Add([]byte(poll+poll), uint8(1))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), uint8(0))
	f.Add([]byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1, 'x', 0x81, 0}, uint8(2))
	f.Add(slices.Concat(frameBytes(0x81, []byte("42[]"), []byte{1, 2, 3, 4}), frameBytes(0x82, make([]byte, 300), nil), frameBytes(0x89, nil, nil)), uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, kind uint8) {
		finder := &framer{direction: plan.Up, shared: &conversation{}}
		var want []int
		switch kind % 3 {
		case 0:
			want = requestEnds(stream)
		case 1:
			finder.direction = plan.Down
			want = responseEnds(stream)
		case 2:
			finder.shared.current = protocolWebSocket
			want = webSocketEnds(stream)
		}
		var got []int
		for at := 0; at < len(stream) && len(got) < len(want) && finder.shared.protocol() != protocolOpaque; {
			n, ended := finder.scan(stream[at:])
			if at += n; ended && finder.shared.protocol() != protocolOpaque {
				got = append(got, at)
			}
		}
		// Where the framer has given up, the stream is opaque and has no ends to compare.
		if finder.shared.protocol() == protocolOpaque {
			want = want[:min(len(want), len(got))]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("frames end at %v, and the library finds %v", got, want)
		}
	})
}
