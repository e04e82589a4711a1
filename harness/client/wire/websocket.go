package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// A webSocketTransport is one WebSocket on gobwas/ws, which leaves goroutines and buffers to its
// user. It writes each packet as one frame with one call: the network counts frames and cuts
// between them.
type webSocketTransport struct {
	conn   net.Conn
	reader *wsutil.Reader
	text   bytes.Buffer // of the message that is read

	controls int // since the last message
}

func dialWebSocket(ctx context.Context, dial dialer, to endpoint) (transport, error) {
	address, err := to.address("websocket", "")
	if err != nil {
		return nil, err
	}
	origin, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	request := http.Request{Header: to.ownHeader()}
	for _, cookie := range to.cookies.Cookies(origin) {
		request.AddCookie(cookie)
	}
	answer := http.Response{Header: http.Header{}}
	dialing := ws.Dialer{
		NetDial: dial, Host: to.header.Get("Host"), Header: ws.HandshakeHeaderHTTP(request.Header),
		OnHeader: func(name, value []byte) error {
			answer.Header.Add(string(name), string(value))
			return nil
		},
	}
	conn, buffered, _, err := dialing.Dial(ctx, "ws"+strings.TrimPrefix(address, "http"))
	if err != nil {
		return nil, err
	}
	to.cookies.SetCookies(origin, answer.Cookies())
	if buffered == nil { // otherwise it has frames that came with the answer
		buffered = bufio.NewReaderSize(conn, 1024)
	}
	reader := wsutil.NewClientSideReader(buffered)
	reader.CheckUTF8 = true
	reader.MaxMessageSize = messageBound
	t := &webSocketTransport{conn: conn, reader: reader}
	reader.OnIntermediate = t.control
	return t, nil
}

func (t *webSocketTransport) read() ([]packet, error) {
	for {
		header, err := t.reader.NextFrame()
		if err != nil {
			return nil, err
		}
		if header.OpCode.IsControl() {
			if err := t.control(header, t.reader); err != nil {
				return nil, err
			}
			if err := t.reader.Discard(); err != nil {
				return nil, err
			}
			continue
		}
		t.controls = 0
		t.text.Reset()
		_, err = t.text.ReadFrom(t.reader)
		switch {
		case err != nil:
			return nil, err
		case header.OpCode == ws.OpBinary:
			return []packet{{binary: bytes.Clone(t.text.Bytes())}}, nil
		}
		return []packet{{text: t.text.String()}}, nil
	}
}

// control answers WebSocket pings and the close frame. The answer to a close frame has a deadline
// and may fail, because the other end may have closed already or may not read.
func (t *webSocketTransport) control(header ws.Header, body io.Reader) error {
	handler := wsutil.ControlHandler{
		Src: body, Dst: t.conn, State: ws.StateClientSide, DisableSrcCiphering: true,
	}
	if t.controls++; t.controls > controlBound {
		return fmt.Errorf("the server sent %d WebSocket pings or pongs and no message", controlBound)
	}
	if header.OpCode != ws.OpClose {
		return handler.Handle(header)
	}
	t.conn.SetWriteDeadline(time.Now().Add(leaveBound))
	handler.Handle(header)
	return io.EOF
}

// write returns no error: read reports the same end after the frames that were in flight.
func (t *webSocketTransport) write(packets []packet) error {
	for _, p := range packets {
		frame := ws.NewTextFrame([]byte(p.text))
		if p.binary != nil {
			frame = ws.NewBinaryFrame(append([]byte(nil), p.binary...)) // masked in place
		}
		if !t.writeFrame(frame) {
			break
		}
	}
	return nil
}

func (t *webSocketTransport) writeFrame(frame ws.Frame) bool {
	data, err := ws.CompileFrame(ws.MaskFrameInPlace(frame))
	if err == nil {
		_, err = t.conn.Write(data)
	}
	return err == nil
}

func (t *webSocketTransport) farewell() {
	t.writeFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
}

func (t *webSocketTransport) close() { t.conn.Close() }
