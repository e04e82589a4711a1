package network

import (
	"bufio"
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"redial/harness/plan"
)

// httpHead takes a message's head, up to and including the empty line.
func (f *framer) httpHead(data []byte) (int, bool) {
	before := len(f.head)
	f.head = append(f.head, data[:min(len(data), maxHead-before)]...)
	if !f.looksLikeHTTP() {
		return f.giveUp(data)
	}
	end := endOfHead(f.head, max(0, before-3))
	if end < 0 {
		if len(f.head) == maxHead {
			return f.giveUp(data)
		}
		return len(data), false
	}
	taken := end - before
	f.head = f.head[:end]
	if f.want > 0 {
		line, _, _ := bytes.Cut(bytes.TrimLeft(f.head, "\r\n"), []byte("\n"))
		f.startLine = string(bytes.TrimRight(line[:min(len(line), textKept)], "\r"))
	}
	if !f.parseHead() {
		return f.giveUp(data)
	}
	return taken, f.left == 0
}

// looksLikeHTTP judges the bytes of the first line that have come so far.
func (f *framer) looksLikeHTTP() bool {
	line := bytes.TrimLeft(f.head, "\r\n")
	if f.direction == plan.Down {
		const start = "HTTP/1."
		return strings.HasPrefix(start, string(line[:min(len(line), len(start))]))
	}
	method, _, found := bytes.Cut(line[:min(len(line), 32)], []byte(" "))
	for _, b := range method {
		if (b < 'A' || b > 'Z') && b != '-' {
			return false
		}
	}
	return (found && len(method) > 0 && string(method) != "PRI") || (!found && len(method) < 32)
}

// endOfHead is the index after the empty line that ends a head, or -1. It is not before from.
func endOfHead(head []byte, from int) int {
	for i := from; i < len(head); i++ {
		if head[i] != '\n' || len(bytes.TrimLeft(head[:i], "\r\n")) == 0 {
			continue
		}
		switch rest := head[i+1:]; {
		case bytes.HasPrefix(rest, []byte("\r\n")):
			return i + 3
		case bytes.HasPrefix(rest, []byte("\n")):
			return i + 2
		}
	}
	return -1
}

// parseHead finds out how the body ends. It returns false if the head is not valid HTTP.
func (f *framer) parseHead() bool {
	head := bufio.NewReader(bytes.NewReader(bytes.TrimLeft(f.head, "\r\n")))
	if f.direction == plan.Up {
		r, err := http.ReadRequest(head)
		if err != nil {
			return false
		}
		f.shared.asked(request{r.Method, r.Header.Get("Upgrade") != ""})
		f.body(r.ContentLength, r.TransferEncoding, 0)
		return true
	}
	asked := f.shared.answers()
	r, err := http.ReadResponse(head, &http.Request{Method: asked.method})
	if err != nil {
		return false
	}
	f.encoding = strings.ToLower(r.Header.Get("Content-Encoding"))
	f.plain = f.encoding == "" || f.encoding == "gzip" || f.encoding == "deflate"
	f.events = strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "text/event-stream")
	f.shared.answered(asked, r)
	switch code := r.StatusCode; {
	case code/100 == 1, code == http.StatusNoContent, code == http.StatusNotModified,
		asked.method == http.MethodHead, asked.method == http.MethodConnect && code < 300:
		f.left = 0
	default:
		f.body(r.ContentLength, r.TransferEncoding, untilEnd)
	}
	return true
}

// body prepares for a body as the head describes it. If the head gives no length, it is
// otherwise.
func (f *framer) body(length int64, encoding []string, otherwise uint64) {
	f.step = (*framer).httpBody
	switch {
	case len(encoding) > 0:
		f.head = f.head[:0]
		f.left = 1 // not 0, which would end the frame with its head
		f.step = (*framer).chunkSize
	case length >= 0:
		f.left = uint64(length)
	default:
		f.left = otherwise
	}
}

func (f *framer) httpBody(data []byte) (int, bool) {
	n := int(min(uint64(len(data)), f.left))
	f.keepBody(data[:n])
	if f.left == untilEnd {
		return n, false
	}
	f.left -= uint64(n)
	return n, f.left == 0
}

func (f *framer) keepBody(data []byte) {
	if f.plain {
		f.keep(data)
	}
}

// line takes bytes up to the end of a line, which is then in f.head.
func (f *framer) line(data []byte) (n int, complete bool) {
	n = bytes.IndexByte(data, '\n') + 1
	if n == 0 {
		n = len(data)
	} else {
		complete = true
	}
	f.head = append(f.head, data[:min(n, maxHead-len(f.head))]...)
	return n, complete
}

// chunkSize takes a chunk's first line: its size in hexadecimal digits, and extensions.
func (f *framer) chunkSize(data []byte) (int, bool) {
	n, complete := f.line(data)
	if !complete {
		return n, false
	}
	digits, _, _ := strings.Cut(string(f.head), ";")
	f.head = f.head[:0]
	size, err := strconv.ParseUint(strings.TrimRight(digits, " \t\r\n"), 16, 60)
	if err != nil {
		return f.giveUp(data)
	}
	f.left = size
	f.step = (*framer).chunkData
	if size == 0 {
		f.step = (*framer).chunkTrailer
	}
	return n, false
}

func (f *framer) chunkData(data []byte) (int, bool) {
	n := int(min(uint64(len(data)), f.left))
	f.keepBody(data[:n])
	f.left -= uint64(n)
	if f.left == 0 {
		f.step = (*framer).chunkEnd
	}
	return n, false
}

// chunkEnd takes the line end after a chunk's data.
func (f *framer) chunkEnd(data []byte) (int, bool) {
	n, complete := f.line(data)
	if complete {
		f.head = f.head[:0]
		f.step = (*framer).chunkSize
	}
	return n, false
}

// chunkTrailer takes the lines after the last chunk, up to an empty one.
func (f *framer) chunkTrailer(data []byte) (int, bool) {
	n, complete := f.line(data)
	if !complete {
		return n, false
	}
	empty := len(bytes.TrimRight(f.head, "\r\n")) == 0
	f.head = f.head[:0]
	return n, empty
}
