package network

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/coder/websocket"
	"github.com/rs/zerolog"
)

// way is one of the ways to a server that the benchmarks compare.
type way struct {
	name    string
	address string
}

// ways returns the target itself, this proxy and Toxiproxy (as a library, without toxics), all in
// this process.
func ways(b *testing.B, target string) []way {
	b.Helper()
	proxy, err := NewProxy(target, Events{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { proxy.Close() })
	link, err := proxy.Link("bench")
	if err != nil {
		b.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	toxic := toxiproxy.NewProxy(server, "bench", "127.0.0.1:0", target)
	if err := toxic.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(toxic.Stop)
	return []way{{"direct", target}, {"redial", link.Address()}, {"toxiproxy", toxic.Listen}}
}

// BenchmarkThroughput sends a stream of large WebSocket frames down each way in turn, and reports
// MB/s and the ratio to Toxiproxy.
func BenchmarkThroughput(b *testing.B) {
	const size = 64 << 20
	frame := []byte(downFrame(string(pattern(60_000))))
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				io.WriteString(c, upgradeResponse)
				for sent := 0; sent < size; sent += len(frame) {
					if _, err := c.Write(frame); err != nil {
						return
					}
				}
			}()
		}
	}()
	all := ways(b, listener.Addr().String())
	took := make([]time.Duration, len(all))
	buffer := make([]byte, 256<<10)
	for b.Loop() {
		for i, w := range all {
			c, err := net.Dial("tcp", w.address)
			if err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			io.WriteString(c, upgradeRequest)
			// io.Copy would splice and so leave out the reader's part of the work.
			for err == nil {
				_, err = c.Read(buffer)
			}
			took[i] += time.Since(start)
			c.Close()
		}
	}
	for i, w := range all {
		b.ReportMetric(float64(size)*float64(b.N)/took[i].Seconds()/1e6, w.name+"-MB/s")
	}
	b.ReportMetric(float64(took[2])/float64(took[1]), "redial/toxiproxy")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRoundTrip sends a small WebSocket message to an echoing server each way in turn. It
// reports the time of a round trip, what each proxy adds to the direct one, and the ratio of
// these additions.
func BenchmarkRoundTrip(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		c, err := websocket.Accept(w, q, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, text, err := c.Read(q.Context())
			if err != nil || c.Write(q.Context(), kind, text) != nil {
				return
			}
		}
	}))
	defer server.Close()
	all := ways(b, server.Listener.Addr().String())
	connections := make([]*websocket.Conn, len(all))
	for i, w := range all {
		c, _, err := websocket.Dial(context.Background(), "ws://"+w.address+"/", nil)
		if err != nil {
			b.Fatal(err)
		}
		defer c.CloseNow()
		connections[i] = c
	}
	const turn = 20 // round trips in a row
	text := []byte(`42["chat message","hello"]`)
	took := make([]time.Duration, len(all))
	for b.Loop() {
		for i, c := range connections {
			start := time.Now()
			for range turn {
				if err := c.Write(context.Background(), websocket.MessageText, text); err != nil {
					b.Fatal(err)
				}
				if _, _, err := c.Read(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			took[i] += time.Since(start)
		}
	}
	each := func(i int) float64 { return float64(took[i].Microseconds()) / float64(turn*b.N) }
	for i, w := range all {
		b.ReportMetric(each(i), w.name+"-µs")
	}
	b.ReportMetric(each(1)-each(0), "redial-adds-µs")
	b.ReportMetric(each(2)-each(0), "toxiproxy-adds-µs")
	b.ReportMetric((each(1)-each(0))/(each(2)-each(0)), "redial/toxiproxy-added")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFramer finds the frames of a stream of small messages.
func BenchmarkFramer(b *testing.B) {
	for _, size := range []int{30, 1000, 60_000} {
		b.Run(fmt.Sprint(size, "-byte messages"), func(b *testing.B) {
			var stream []byte
			for len(stream) < 256<<10 {
				stream = append(stream, upFrame(string(pattern(size)))...)
			}
			f := &framer{direction: up, shared: &conversation{current: protocolWebSocket}}
			b.SetBytes(int64(len(stream)))
			for b.Loop() {
				for at := 0; at < len(stream); {
					n, _ := f.scan(stream[at:])
					at += n
				}
			}
		})
	}
}
