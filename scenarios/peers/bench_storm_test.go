package peers_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/target"
)

// stormClients is the number of clients; -short uses a tenth of it.
var stormClients = flag.Int("storm-clients", 2_000, "how many clients BenchmarkStorm has come back at once")

// stormWire makes every client one of package client's. They do everything that a page does
// and cost three times what a server costs. They share the cores with the server, so most of
// the measured time is then their own.
var stormWire = flag.Bool("storm-wire", false, "let all clients of BenchmarkStorm be wire clients, not only those that talk")

const (
	// stormMessages is the number of all messages; a quarter of them is sent before the kill.
	stormMessages = 200
	// stormWriters is the number of clients that send, each one message after another.
	stormWriters = 4
	// stormDelay is the first delay before a reconnection. The official client's delay of one
	// second would dominate the measurement, and would spread the storm.
	stormDelay = 100 * time.Millisecond
	// stormBound is the time limit of a storm. Clients that lack messages after that are
	// counted.
	stormBound = 3 * time.Minute
)

// BenchmarkStorm kills a server (SIGKILL) under traffic and restarts it; all its clients
// reconnect at once, while the traffic continues. In one storm the clients have the messages
// from before the kill; in the other one their users refresh the page, so the server must
// also replay a history of some hundred messages. The benchmark alternates between the kit's
// step 7 and the same chat on the official Node server.
//
// For each server it reports the time from the kill until every client had the last message,
// the messages per second delivered in that time, the peak memory, the processor time since
// the restart, and how many messages the clients lack (the published code, which the Node
// server runs, loses some). The clients are in this process and share the machine's cores
// with the server, so the processor time is a better measure of a server than the other
// times.
func BenchmarkStorm(b *testing.B) {
	peer, err := nodePeer()
	if err != nil {
		b.Skip(err)
	}
	step := stepServer(b, "7")
	count := *stormClients
	if testing.Short() {
		count = max(stormWriters, count/10)
	}
	for _, load := range []load{{count, 0}, {count, 500}} {
		b.Run(fmt.Sprintf("clients=%d/refreshed-history=%d", load.clients, load.messages), func(b *testing.B) {
			ours, theirs := stormFigures{name: "step7"}, stormFigures{name: "node"}
			for b.Loop() {
				ours.add(b, step, load)
				theirs.add(b, peer, load)
			}
			ours.report(b)
			theirs.report(b)
			b.ReportMetric(theirs.took.Seconds()/ours.took.Seconds(), "node/step7-time")
			b.ReportMetric(theirs.cpu/ours.cpu, "node/step7-cpu")
			b.ReportMetric(ours.peak/theirs.peak, "step7/node-memory")
			b.ReportMetric(ours.rate()/theirs.rate(), "step7/node-msgs/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// stormFigures are the results of a server over all runs.
type stormFigures struct {
	name      string
	runs      int
	took      time.Duration
	delivered int64   // since the kill
	lacking   int64   // messages in the log that a client did not show
	peak      float64 // MB, the highest of all runs
	cpu       float64 // seconds
}

func (f *stormFigures) rate() float64 { return float64(f.delivered) / f.took.Seconds() }

func (f *stormFigures) report(b *testing.B) {
	b.ReportMetric(f.took.Seconds()/float64(f.runs), f.name+"-s")
	b.ReportMetric(f.cpu/float64(f.runs), f.name+"-cpu-s")
	b.ReportMetric(f.rate(), f.name+"-msgs/s")
	b.ReportMetric(f.peak, f.name+"-peak-MB")
	b.ReportMetric(float64(f.lacking)/float64(f.runs), f.name+"-lacking")
}

// add plays a storm on a new server.
func (f *stormFigures) add(b *testing.B, newServer func() (*target.Command, error), load load) {
	b.Helper()
	server, err := newServer()
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	if err := store(filepath.Join(server.DataDir(), "chat.db"), load.messages); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), stormBound)
	defer cancel()
	if err := server.Start(ctx); err != nil {
		b.Fatal(err)
	}
	s := newStorm(server, load)
	defer s.close()
	killed, before, err := s.rage(ctx)
	if err != nil {
		b.Fatalf("%s: %v\n%s", f.name, err, server.Output())
	}
	rows, last := s.last()
	f.runs++
	f.took += last.Sub(killed)
	f.delivered += s.shown() - before
	f.lacking += int64(load.clients)*rows - s.shown()
	f.peak = max(f.peak, s.peak, peakMemory(server))
	f.cpu += processorTime(server)
}

// A storm is a server, and the clients that lose it and reconnect.
type storm struct {
	server  *target.Command
	clients []*stormClient
	history int
	said    atomic.Int64
	peak    float64 // of the server process that was killed
}

// newStorm makes the clients, which have shown the messages that are stored already.
func newStorm(server *target.Command, load load) *storm {
	s := &storm{server: server, history: load.messages}
	for n := range load.clients {
		c := &stormClient{address: server.Address(), changed: make(chan struct{}, 1)}
		c.shown.Store(int64(load.messages))
		c.offset.Store(int64(load.messages))
		if n < stormWriters || *stormWire {
			c.wire = wire.New(client.Options{
				Name: fmt.Sprintf("client %d", n), URL: "http://" + c.address, Seed: uint64(n),
				ReconnectDelay: stormDelay, Record: c.note, ServerOffset: int64(load.messages),
			})
			c.wire.OnPacket = c.returned
		}
		s.clients = append(s.clients, c)
	}
	return s
}

// rage connects all clients and starts the traffic, kills the server and restarts it. It
// returns when all clients have the last message, or an error that lists what they lack.
// before is the number of messages shown before the kill, in views that are not refreshed.
func (s *storm) rage(ctx context.Context) (killed time.Time, before int64, err error) {
	for _, c := range s.clients {
		if err := c.open(ctx); err != nil {
			return killed, 0, err
		}
	}
	err = await(ctx, "every client to connect", func() bool {
		return s.every(func(c *stormClient) bool { return c.connected.Load() })
	})
	if err != nil {
		return killed, 0, err
	}
	talking, stop := context.WithCancel(ctx)
	defer stop()
	var writers sync.WaitGroup
	for _, c := range s.clients[:stormWriters] {
		writers.Go(func() { s.talk(talking, c) })
	}
	defer writers.Wait()
	if err := await(ctx, "the first messages", func() bool { return s.said.Load() > stormMessages/4 }); err != nil {
		return killed, 0, err
	}
	s.peak = peakMemory(s.server)
	before, killed = s.refreshed(), time.Now()
	if err := s.server.Kill(); err != nil {
		return killed, before, err
	}
	if err := s.server.Start(ctx); err != nil {
		return killed, before, err
	}
	writers.Wait()
	newest, err := newestOf(s.server)
	if err != nil {
		return killed, before, err
	}
	return killed, before, await(ctx, fmt.Sprintf("every client to have message %d", newest), func() bool {
		return s.every(func(c *stormClient) bool { return c.offset.Load() >= newest })
	})
}

// talk sends messages, each after the result of the previous one.
func (s *storm) talk(ctx context.Context, c *stormClient) {
	for n := s.said.Add(1); n <= stormMessages && ctx.Err() == nil; n = s.said.Add(1) {
		text := fmt.Sprintf("message %d, said while a storm was coming", n)
		c.waits.Store(text)
		_ = c.wire.Send(text)
		for c.waits.Load() != "" {
			select {
			case <-c.changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// refreshed makes all clients that only receive refresh at the next cut, if there is a
// history to replay. It returns the number of messages in views that are not refreshed.
func (s *storm) refreshed() (lasting int64) {
	for _, c := range s.clients {
		if c.wire == nil && s.history > 0 {
			c.refresh.Store(true)
		} else {
			lasting += c.shown.Load()
		}
	}
	return lasting
}

func (s *storm) every(holds func(*stormClient) bool) bool {
	for _, c := range s.clients {
		if !holds(c) {
			return false
		}
	}
	return true
}

func (s *storm) shown() (sum int64) {
	for _, c := range s.clients {
		sum += c.shown.Load()
	}
	return sum
}

// last returns the number of messages, and when the last client showed the last message.
func (s *storm) last() (rows int64, at time.Time) {
	var latest int64
	for _, c := range s.clients {
		latest = max(latest, c.at.Load())
		rows = max(rows, c.offset.Load()) // ids count from 1 without gaps
	}
	return rows, time.Unix(0, latest)
}

func (s *storm) close() {
	var closing sync.WaitGroup
	for _, c := range s.clients {
		closing.Go(c.close)
	}
	closing.Wait()
}

// await polls for a condition that no event announces.
func await(ctx context.Context, what string, met func() bool) error {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !met() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}

// newestOf returns the id of the newest message in the server's database.
func newestOf(server *target.Command) (id int64, err error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(server.DataDir(), "chat.db")+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRow("SELECT COALESCE(MAX(id), 0) FROM messages").Scan(&id)
	if err == nil && id == 0 {
		err = errors.New("nothing was stored")
	}
	return id, err
}

// processorTime returns the processor time of the server's process since its start, in
// seconds, or 0 if the system does not provide it. See proc(5) on /proc/PID/stat.
func processorTime(server *target.Command) float64 {
	const perSecond = 100 // USER_HZ, the same on every Linux
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server.PID()))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may contain spaces; utime and stime are the 12th and 13th
	// fields after it.
	_, behind, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(behind)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return float64(user+system) / perSecond
}
