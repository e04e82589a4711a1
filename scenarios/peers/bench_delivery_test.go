//go:build !race

package peers_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redial/harness/target"
)

var (
	deliveryClients = flag.Int("delivery-clients", 500, "how many clients receive each message of BenchmarkDelivery")
	idleClients     = flag.Int("idle-clients", 19_500, "how many connections BenchmarkIdle keeps open; each needs an open file here and in the server")
)

// deliveryTime is how long messages are sent.
const deliveryTime = 4 * time.Second

// BenchmarkDelivery has one client send messages at a constant rate to all others. For each
// server it reports the median and the 99th percentile of the time from the instant at which
// a message was due to be sent until a client received it, the server's processor time for
// each delivery, and how many messages the clients lack when everything else has arrived.
//
// The third server, bare, is the limit of a server in Go on this machine: it has no
// database and no library, and writes each frame to each connection. The clients share the
// cores with the servers, so the processor time says more about a server than the times.
func BenchmarkDelivery(b *testing.B) {
	peer, err := nodePeer()
	if err != nil {
		b.Skip(err)
	}
	step := stepServer(b, "7")
	for _, perSecond := range []int{20, 100, 1000} {
		b.Run(fmt.Sprintf("clients=%d/sent-per-s=%d", *deliveryClients, perSecond), func(b *testing.B) {
			ours, theirs, limit := delivery{name: "step7"}, delivery{name: "node"}, delivery{name: "bare"}
			for b.Loop() {
				ours.add(b, step, perSecond)
				theirs.add(b, peer, perSecond)
				limit.add(b, bareServer, perSecond)
			}
			for _, d := range []*delivery{&ours, &theirs, &limit} {
				d.report(b)
			}
			b.ReportMetric(theirs.cpu/ours.cpu, "node/step7-cpu")
			b.ReportMetric(ours.cpu/limit.cpu, "step7/bare-cpu")
			b.ReportMetric(float64(theirs.percentile(99))/float64(ours.percentile(99)), "node/step7-p99")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// delivery has the results of a server over all runs.
type delivery struct {
	name    string
	delays  []time.Duration
	lacking int
	cpu     float64 // seconds
}

func (d *delivery) percentile(p int) time.Duration {
	slices.Sort(d.delays)
	return d.delays[(len(d.delays)-1)*p/100]
}

func (d *delivery) report(b *testing.B) {
	b.ReportMetric(float64(d.percentile(50).Microseconds())/1000, d.name+"-p50-ms")
	b.ReportMetric(float64(d.percentile(99).Microseconds())/1000, d.name+"-p99-ms")
	b.ReportMetric(d.cpu*1e6/float64(len(d.delays)), d.name+"-cpu-µs/delivery")
	b.ReportMetric(float64(d.lacking), d.name+"-lacking")
}

// add measures one run of a new server.
func (d *delivery) add(b *testing.B, newServer func() (*target.Command, error), perSecond int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), stormBound)
	defer cancel()
	server := started(ctx, b, newServer)
	defer server.Close()
	count := int(deliveryTime.Seconds()) * perSecond
	receivers := make([]*timedReceiver, *deliveryClients)
	reading, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for n := range receivers {
		r := &timedReceiver{arrived: make([]time.Time, count), connected: make(chan struct{}), missing: int64(count)}
		receivers[n] = r
		all.Go(func() { _ = converse(reading, server.Address(), r.take) })
	}
	for _, r := range receivers {
		select {
		case <-r.connected:
		case <-ctx.Done():
			b.Fatalf("%s: a client did not connect: %v", d.name, context.Cause(ctx))
		}
	}
	before := processorTime(server)
	due, err := sendAtRate(reading, &all, server.Address(), count, time.Second/time.Duration(perSecond))
	if err != nil {
		b.Fatalf("%s: %v", d.name, err)
	}
	// An overloaded server still delivers for a while after the last message was sent.
	err = await(ctx, "every message at every client", func() bool {
		return !slices.ContainsFunc(receivers, func(r *timedReceiver) bool { return atomic.LoadInt64(&r.missing) > 0 })
	})
	if err != nil {
		b.Logf("%s: %v", d.name, err)
	}
	d.cpu += processorTime(server) - before
	stop()
	all.Wait()
	for _, r := range receivers {
		d.lacking += int(r.missing)
		for n, at := range r.arrived {
			if !at.IsZero() {
				d.delays = append(d.delays, at.Sub(due[n]))
			}
		}
	}
}

// sendAtRate sends each message when it is due, whether or not the previous one was acknowledged, and
// returns the times at which they were due. Were the next one to wait for an answer, a slow server
// would be sent less and look faster. The connection stays until ctx ends: the server would not read
// what arrives just before the end of a connection.
func sendAtRate(ctx context.Context, all *sync.WaitGroup, address string, count int, every time.Duration) (due []time.Time, err error) {
	ready := make(chan net.Conn, 1)
	all.Go(func() {
		_ = converse(ctx, address, func(conn net.Conn, packet []byte) error {
			if bytes.HasPrefix(packet, []byte("40")) {
				ready <- conn
			}
			return answer(conn, packet)
		})
	})
	var conn net.Conn
	select {
	case conn = <-ready:
	case <-ctx.Done():
		return nil, fmt.Errorf("the sender did not connect: %w", context.Cause(ctx))
	}
	first := time.Now()
	for n := range count {
		at := first.Add(time.Duration(n) * every)
		due = append(due, at)
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if err := send(conn, fmt.Sprintf(`42%d["chat message","%d"]`, n, n)); err != nil {
			return nil, err
		}
	}
	return due, nil
}

// answer connects to the namespace, and answers a heartbeat.
func answer(conn net.Conn, packet []byte) error {
	switch packet[0] {
	case '0':
		return send(conn, `40{"serverOffset":0}`)
	case '2':
		return send(conn, "3")
	}
	return nil
}

// A timedReceiver notes when each message arrived.
type timedReceiver struct {
	arrived   []time.Time
	missing   int64
	connected chan struct{}
}

func (r *timedReceiver) take(conn net.Conn, packet []byte) error {
	text, isMessage := bytes.CutPrefix(packet, []byte(`42["chat message","`))
	if isMessage {
		number, _, _ := bytes.Cut(text, []byte(`"`))
		n, err := strconv.Atoi(string(number))
		if err != nil || n < 0 || n >= len(r.arrived) || !r.arrived[n].IsZero() {
			return fmt.Errorf("an unexpected message: %.100q", packet)
		}
		r.arrived[n] = time.Now()
		atomic.AddInt64(&r.missing, -1)
		return nil
	}
	if bytes.HasPrefix(packet, []byte("40")) {
		close(r.connected)
	}
	return answer(conn, packet)
}

func TestTimedReceiverTakesEachMessageOnce(t *testing.T) {
	r := &timedReceiver{arrived: make([]time.Time, 2), missing: 2, connected: make(chan struct{})}
	for _, c := range []struct {
		packet  string
		ok      bool
		missing int64
	}{
		{`40{"sid":"a"}`, true, 2},
		{`42["chat message","1",1]`, true, 1},
		{`42["chat message","1",1]`, false, 1},
		{`42["chat message","2",2]`, false, 1},
		{`42["chat message","other",2]`, false, 1},
		{`42["chat message","0",2,"an offset"]`, true, 0},
	} {
		if err := r.take(nil, []byte(c.packet)); (err == nil) != c.ok || r.missing != c.missing {
			t.Errorf("after %s: %v, %d missing, want %d", c.packet, err, r.missing, c.missing)
		}
	}
}

// started starts a new server.
func started(ctx context.Context, b *testing.B, newServer func() (*target.Command, error)) *target.Command {
	b.Helper()
	server, err := newServer()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(ctx); err != nil {
		_ = server.Close()
		b.Fatal(err)
	}
	return server
}

// BenchmarkIdle reports the memory of a server for each of many connections on which nothing
// happens but heartbeats, of step 10 and of the chat on the official Node server.
func BenchmarkIdle(b *testing.B) {
	peer, err := nodePeer()
	if err != nil {
		b.Skip(err)
	}
	step := stepServer(b, "10")
	b.Run(fmt.Sprintf("clients=%d", *idleClients), func(b *testing.B) {
		var ours, theirs float64
		for b.Loop() {
			ours, theirs = idleMemory(b, step), idleMemory(b, peer)
		}
		b.ReportMetric(ours, "step10-kB/connection")
		b.ReportMetric(theirs, "node-kB/connection")
		b.ReportMetric(ours/theirs, "step10/node-memory")
		b.ReportMetric(0, "ns/op")
	})
}

// idleMemory returns the resident memory that connections add, in kB for each.
func idleMemory(b *testing.B, newServer func() (*target.Command, error)) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), stormBound)
	defer cancel()
	server := started(ctx, b, newServer)
	defer server.Close()
	before := residentMemory(b, server)
	open, close := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer close()
	var connected atomic.Int64
	atOnce := make(chan struct{}, 64) // handshakes, so that the queue of the listener is long enough
	for range *idleClients {
		atOnce <- struct{}{}
		all.Go(func() {
			err := converse(open, server.Address(), func(conn net.Conn, packet []byte) error {
				if bytes.HasPrefix(packet, []byte("40")) {
					connected.Add(1)
					<-atOnce
				}
				return answer(conn, packet)
			})
			if open.Err() == nil {
				b.Errorf("a connection ended: %v", err)
			}
		})
	}
	if err := await(ctx, "every client to connect", func() bool { return connected.Load() == int64(*idleClients) }); err != nil {
		b.Fatal(err)
	}
	return (residentMemory(b, server) - before) / float64(*idleClients)
}

// residentMemory returns the server's memory in kB. See VmRSS in proc(5).
func residentMemory(b *testing.B, server *target.Command) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", server.PID()))
	if err != nil {
		b.Skip(err)
	}
	_, behind, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(behind)
	kilobytes, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kilobytes
}

// BenchmarkLastMessages replays the last hundred messages of logs of different lengths to one client
// after another. The time must not depend on the length of the log.
func BenchmarkLastMessages(b *testing.B) {
	peer, err := nodePeer()
	if err != nil {
		b.Skip(err)
	}
	const shortest, longest, last = 1_000, 1_000_000, 100
	for name, newServer := range map[string]func() (*target.Command, error){
		"step7": stepServer(b, "7"), "step10": stepServer(b, "10"), "node": peer,
	} {
		b.Run(name, func(b *testing.B) {
			took := map[int]time.Duration{}
			for _, length := range []int{shortest, longest} {
				server, err := newServer()
				if err != nil {
					b.Fatal(err)
				}
				defer server.Close()
				if err := store(filepath.Join(server.DataDir(), "chat.db"), length); err != nil {
					b.Fatal(err)
				}
				if err := server.Start(b.Context()); err != nil {
					b.Fatal(err)
				}
				const replays = 200
				for n := range replays + 1 {
					began := time.Now()
					r := &reader{address: server.Address(), last: length - last}
					if err := r.read(b.Context(), length); err != nil {
						b.Fatal(err)
					}
					if n > 0 { // the first one warms the server up
						took[length] += time.Since(began) / replays
					}
				}
			}
			for b.Loop() {
			}
			b.ReportMetric(float64(took[shortest].Microseconds())/1000, "ms-of-1000")
			b.ReportMetric(float64(took[longest].Microseconds())/1000, "ms-of-1000000")
			b.ReportMetric(took[longest].Seconds()/took[shortest].Seconds(), "longest/shortest")
			b.ReportMetric(0, "ns/op")
		})
	}
}
