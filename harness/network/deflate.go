package network

import (
	"bytes"
	"compress/flate"
	"io"
	"slices"

	"github.com/gobwas/ws"
)

// window is how far back a compressed message refers to those before it (RFC 7692).
const window = 32 << 10

// An inflater reads the compressed WebSocket messages of one direction (permessage-deflate). It has
// to see each of them, because the next may refer to it.
type inflater struct {
	reader io.ReadCloser
	packed []byte // the current message, as far as it has come
	before []byte // the end of the messages before it
	lost   bool   // a message could not be read, so those after it cannot, either
}

// end makes the payload of a frame that has ended readable, if a message begins in it.
func (i *inflater) end(f *framer) {
	if i.lost {
		return
	}
	first, complete := f.header.OpCode != ws.OpContinuation, f.header.Fin
	if first {
		i.packed = i.packed[:0]
	}
	i.packed = append(i.packed, f.payload...)
	tooLong := len(i.packed) >= maxBody // then not everything was kept
	if (first || complete) && !tooLong {
		text, err := i.inflate(complete)
		if first {
			f.payload, f.plain = append(f.payload[:0], text[:min(len(text), maxPayload)]...), true
		}
		if complete {
			i.lost = err != nil || len(text) == maxBody
			i.before = i.upTo(text)
			i.packed = i.packed[:0]
		}
	}
	if i.lost = i.lost || tooLong; i.lost {
		*i = inflater{lost: true}
	}
}

// inflate returns the current message. If it is not complete, what can be read comes with an error.
// A message may have several final blocks (RFC 7692, section 7.2.3.4), at each of which the reader
// stops.
func (i *inflater) inflate(complete bool) (text []byte, err error) {
	packed := i.packed
	if complete && len(packed) > 0 { // with the end that every sender leaves out, and a last block
		packed = append(packed, "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)
	}
	if i.reader == nil {
		i.reader = flate.NewReader(nil)
	}
	for rest := bytes.NewReader(packed); rest.Len() > 0 && len(text) < maxBody && err == nil; {
		if err = i.reader.(flate.Resetter).Reset(rest, i.upTo(text)); err != nil {
			break
		}
		var part []byte
		part, err = io.ReadAll(io.LimitReader(i.reader, int64(maxBody-len(text))))
		text = append(text, part...)
	}
	return text, err
}

// upTo is what may be referred to after the text of the current message.
func (i *inflater) upTo(text []byte) []byte {
	text = text[max(0, len(text)-window):]
	return slices.Concat(i.before[max(0, len(i.before)+len(text)-window):], text)
}
