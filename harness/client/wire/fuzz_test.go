package wire

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"redial/harness/client"
	"redial/harness/history"
)

// The modes of FuzzServer's server.
const (
	overPolling = 1 << iota // otherwise over WebSocket
	asBytes                 // after the handshake the server sends raw bytes instead of packets
	toRetries               // the client retries until its message is acknowledged
)

// FuzzServer checks that the client, whatever packets a server sends, shows each offset once and
// in order, records one acknowledgement for one message, reconnects, and shows a message of a
// healthy server. Packets are separated by 0x1e; one that begins with b is binary.
func FuzzServer(f *testing.F) {
	for _, packets := range []string{
		`40{"sid":"s1"}` + separator + `42["chat message","a",1]` + separator + `42["chat message","b",1]` + separator + `42["chat message","a",1]` + separator + "430[]" + separator + "430[]",
		`40{"sid":"s1","pid":"p"}` + separator + `42["chat message","a",2,"x"]` + separator + "41",
		`44{"message":"no"}` + separator + "1", "2" + separator + "6" + separator + "3",
		`40{"sid":"s1"}` + separator + `451-["chat message",{"_placeholder":true,"num":0},3]` + separator + "b\x01\x02",
		`40{"sid":"s1"}` + separator + `461-0[{"_placeholder":true,"num":9}]` + separator + "b",
		`40{"sid":"s1"}` + separator + `427["chat message",{"a":[null]},9007199254740993]` + separator + `430[{"error":"full"}]`,
		"450-[\"x\"]" + separator + "42", "4/other,2[]", "", separator,
	} {
		for _, mode := range []uint8{0, overPolling, toRetries} {
			f.Add(openText, []byte(packets), mode)
		}
	}
	f.Add(`0{"sid":"","pingInterval":-1,"pingTimeout":9223372036854775807}`, []byte("6"), uint8(0))
	f.Add(`0{}`, []byte("6"), uint8(overPolling))
	f.Add("", []byte("0"), uint8(overPolling))
	f.Add(openText, []byte("\x81\x0e40{\"sid\":\"s1\"}\x89\x01a\x88\x02\x03\xe8"), uint8(asBytes))
	f.Add(openText, []byte("\x01\x0140\x80\x010\x82\x7f\x00\x00\x00\x00\x03\xff\xff\xff"), uint8(asBytes|toRetries))
	f.Fuzz(func(t *testing.T, opening string, packets []byte, mode uint8) {
		synctest.Test(t, func(t *testing.T) { testServer(t, opening, packets, mode) })
	})
}

func testServer(t *testing.T, opening string, packets []byte, mode uint8) {
	m, r := newMemory(), history.NewRecorder()
	options := client.Options{Name: "ann", URL: "http://chat.test", Dial: m.dial, Record: r.Add, Retries: mode&toRetries != 0}
	serve := serveWebSocket
	if mode&overPolling != 0 {
		options.Transports = []string{"polling"}
		serve = servePolling
	}
	w := New(options)
	defer w.Close()
	open(t, w)
	sendAll(t, w, "one")
	serve(t, m, w, opening, packets, mode)
	synctest.Wait()

	events := r.Events(0)
	if last := events[len(events)-1]; last.Kind != history.Shown || last.Message != healthy {
		t.Errorf("a healthy server's message is not shown; history:\n%s", strings.Join(lines(r), "\n"))
	}
	answered, offset := 0, int64(0)
	for _, e := range events {
		switch {
		case e.Kind == history.Acknowledged || e.Kind == history.Refused:
			answered++
		case e.Kind == history.Shown && e.Offset != 0 && e.Offset <= offset:
			t.Errorf("offset %d is shown after %d", e.Offset, offset)
		case e.Kind == history.Shown && e.Offset != 0:
			offset = e.Offset
		}
	}
	if most := len(packets) + 20; len(events) > most || answered > 1 {
		t.Errorf("%d bytes make %d events, and %d answers to one message", len(packets), len(events), answered)
	}
}

// healthy is a message without an offset, so that it is never older than one shown before.
const healthy = "from a healthy server"

// serveWebSocket plays first the fuzzed server and then the healthy one, on a connection each.
func serveWebSocket(t *testing.T, m *memory, w *Client, opening string, packets []byte, mode uint8) {
	conn := m.accept(t).conn
	go io.Copy(io.Discard, conn)
	// The client may end the connection at any of these writes, so errors are ignored.
	_ = wsutil.WriteServerText(conn, []byte(opening))
	time.Sleep(2 * connectDelay)
	if mode&asBytes != 0 {
		_, _ = conn.Write(packets)
	} else {
		for packet := range strings.SplitSeq(string(packets), separator) {
			if attachment, isBinary := strings.CutPrefix(packet, "b"); isBinary {
				_ = wsutil.WriteServerBinary(conn, []byte(attachment))
			} else {
				_ = wsutil.WriteServerMessage(conn, ws.OpText, []byte(packet))
			}
		}
	}
	synctest.Wait()
	conn.Close()
	synctest.Wait()
	if err := w.Connect(); err != nil { // in case the server has sent a disconnect packet
		t.Fatal(err)
	}
	p := m.connected(t, `40{"sid":"healthy"}`)
	go io.Copy(io.Discard, p.conn)
	p.send(`42["chat message","` + healthy + `"]`)
}

// servePolling answers the first GET with opening, the second with packets and the third with an
// error; from then on it is healthy.
func servePolling(t *testing.T, m *memory, w *Client, opening string, packets []byte, _ uint8) {
	answers := make(chan string, 2)
	answers <- opening
	answers <- string(packets)
	var isHealthy atomic.Bool
	down := make(chan string, 2)
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			_, _ = io.Copy(io.Discard, r.Body)
		case !isHealthy.Load():
			select {
			case answer := <-answers:
				_, _ = io.WriteString(rw, answer)
			default:
				rw.WriteHeader(http.StatusBadGateway)
			}
		case r.URL.Query().Get("sid") != "e":
			_, _ = io.WriteString(rw, openText)
		default:
			select {
			case answer := <-down:
				_, _ = io.WriteString(rw, answer)
			case <-r.Context().Done():
			}
		}
	})}
	go server.Serve(pollingListener{m, make(chan struct{})})
	t.Cleanup(func() { server.Close() })
	time.Sleep(time.Minute) // for all three GETs, however late it reconnects
	isHealthy.Store(true)
	if err := w.Connect(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Second) // less than a ping timeout
	down <- `40{"sid":"healthy"}`
	down <- `42["chat message","` + healthy + `"]`
}
