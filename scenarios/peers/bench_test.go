package peers_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	_ "github.com/mattn/go-sqlite3"

	"redial/harness/target"
)

const (
	// replayBound is the time limit of a replay. The messages that have arrived by then are
	// counted.
	replayBound = 2 * time.Minute
	// memoryBound is the memory limit of a server in MB. A server above it is stopped, because
	// other processes need the machine's memory, too.
	memoryBound = 8_000
)

// BenchmarkReplay lets each server replay a long log to new clients: the kit's step 7, and
// the same chat on the official Node server. Both are processes, and the benchmark
// alternates between them. For each server it reports the messages per second, the peak
// memory, how often a client lost its connection and reconnected, and, if the replay ended
// within replayBound, the time until every client had every message in order. The clients
// share the machine's cores with the server.
func BenchmarkReplay(b *testing.B) {
	peer, err := nodePeer()
	if err != nil {
		b.Skip(err)
	}
	step := stepServer(b, "7")
	for _, load := range []load{{1, 100_000}, {200, 10_000}, {200, 100_000}} {
		b.Run(fmt.Sprintf("clients=%d/messages=%d", load.clients, load.messages), func(b *testing.B) {
			ours, theirs := figures{name: "step7", load: load}, figures{name: "node", load: load}
			for b.Loop() {
				ours.add(b, step)
				theirs.add(b, peer)
			}
			ours.report(b)
			theirs.report(b)
			b.ReportMetric(ours.rate()/theirs.rate(), "step7/node-msgs/s")
			b.ReportMetric(ours.peak/theirs.peak, "step7/node-memory")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// stepServer builds the program that `make step-7` runs, and returns how to start a step. The
// test program itself could serve it, but its 20 MB of additional code would count as
// memory.
func stepServer(b *testing.B, number string) func() (*target.Command, error) {
	b.Helper()
	program := filepath.Join(b.TempDir(), "steps")
	if output, err := exec.Command("go", "build", "-o", program, "redial/steps").CombinedOutput(); err != nil {
		b.Fatalf("the steps cannot be built: %v\n%s", err, output)
	}
	return func() (*target.Command, error) {
		return target.NewCommand(target.CommandOptions{Command: []string{program, number}, Name: "step " + number})
	}
}

// nodePeer returns how to start the Node server, or an error about a missing dependency.
func nodePeer() (func() (*target.Command, error), error) {
	if _, err := os.Stat(filepath.Join("node", "node_modules")); err != nil {
		return nil, errors.New("the Node server's packages are not here: run make peer")
	}
	program, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("there is no node on the PATH, so nothing to compare with")
	}
	return func() (*target.Command, error) {
		return target.NewCommand(target.CommandOptions{
			Command: []string{program, "server.js"}, Dir: "node", Name: "node",
		})
	}, nil
}

// A load is the work of a replay: the number of clients, and of the messages for each
// client.
type load struct{ clients, messages int }

// figures are the results of a server over all runs.
type figures struct {
	name string
	load
	runs, finished int
	took           time.Duration
	rows           int
	peak           float64 // MB, the highest of all runs
	returns        int     // reconnections
}

// add measures a run with a new process.
func (f *figures) add(b *testing.B, newServer func() (*target.Command, error)) {
	b.Helper()
	server, err := newServer()
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	if err := store(filepath.Join(server.DataDir(), "chat.db"), f.messages); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), replayBound)
	defer cancel()
	if err := server.Start(ctx); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	readers, peak, err := replayed(ctx, server, f.load)
	f.took += time.Since(began)
	f.peak = max(f.peak, peak)
	f.runs++
	rows := 0
	for _, r := range readers {
		rows += r.last
		f.returns += r.returns
		if r.wrong != nil {
			b.Fatalf("%s: %v", f.name, r.wrong)
		}
	}
	if rows == 0 {
		b.Fatalf("%s: nothing was replayed: %v; %s", f.name, err, lastLine(server))
	}
	f.rows += rows
	if err != nil {
		b.Logf("%s: not all of it was replayed: %v; %d of %d messages were there; %s",
			f.name, err, rows, f.clients*f.messages, lastLine(server))
		return
	}
	f.finished++
}

func (f *figures) rate() float64 { return float64(f.rows) / f.took.Seconds() }

func (f *figures) report(b *testing.B) {
	b.ReportMetric(f.rate(), f.name+"-msgs/s")
	b.ReportMetric(f.peak, f.name+"-peak-MB")
	b.ReportMetric(float64(f.returns)/float64(f.runs), f.name+"-returns")
	if f.finished == f.runs {
		b.ReportMetric(f.took.Seconds()/float64(f.runs), f.name+"-s")
	}
}

// store writes messages 1 to count into a new database with the schema of both servers.
func store(path string, count int) error {
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, client_offset TEXT UNIQUE, content TEXT)`)
	if err == nil {
		_, err = db.Exec(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
			INSERT INTO messages (content) SELECT ? || n FROM numbers`, count, said)
	}
	return err
}

// said is the text of each message before its number.
const said = "said while nobody was there: "

// replayed connects all readers at once, and waits until each has every message, the server
// has ended or was stopped, or ctx ends. peak is the highest memory of the server that was
// observed, in MB.
func replayed(ctx context.Context, server *target.Command, load load) (readers []*reader, peak float64, err error) {
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	for range load.clients {
		r := &reader{address: server.Address()}
		readers = append(readers, r)
		all.Go(func() {
			if err := r.readAll(reading, load.messages); err != nil {
				stop(err)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	exited := server.Exited()
	for {
		select {
		case <-done:
			return readers, max(peak, peakMemory(server)), context.Cause(reading)
		case <-exited:
			stop(errors.New("the server ended"))
			exited = nil
		case <-look.C:
			if peak = max(peak, peakMemory(server)); peak > memoryBound {
				stop(fmt.Errorf("the server used more than %d MB", memoryBound))
			}
		}
	}
}

// A reader is a cheap client: it parses each message in the read buffer and stores none.
// When its connection ends, it reconnects with its offset, as a page does.
type reader struct {
	address string
	last    int // the last message; all earlier ones have arrived
	returns int
	wrong   error // an unexpected message
}

// readAll returns when message number until has arrived.
func (r *reader) readAll(ctx context.Context, until int) error {
	for {
		err := r.read(ctx, until)
		switch {
		case r.wrong != nil:
			return r.wrong
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			return nil
		}
		r.returns++
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // the official client's first delay
		}
	}
}

// errRead ends a conversation after its last message.
var errRead = errors.New("everything is read")

func (r *reader) read(ctx context.Context, until int) error {
	err := converse(ctx, r.address, func(conn net.Conn, packet []byte) error {
		err := r.take(conn, packet)
		if err == nil && r.last >= until {
			err = errRead
		}
		return err
	})
	if errors.Is(err, errRead) {
		return nil
	}
	return err
}

// converse opens a connection and passes each Engine.IO packet to take, inside the read
// buffer, until the connection ends or take returns an error.
func converse(ctx context.Context, address string, take func(conn net.Conn, packet []byte) error) error {
	conn, early, _, err := ws.Dial(ctx, "ws://"+address+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	from := bufio.NewReaderSize(conn, maxPacket)
	if early != nil { // the first packets arrived together with the response
		from = bufio.NewReaderSize(early, maxPacket)
	}
	for {
		header, err := ws.ReadHeader(from)
		if err != nil {
			return err
		}
		if header.OpCode != ws.OpText || !header.Fin || header.Length > maxPacket {
			return io.EOF // a close frame: the servers send everything else as whole text frames
		}
		packet, err := from.Peek(int(header.Length))
		if err != nil {
			return err
		}
		if err := take(conn, packet); err != nil {
			return err
		}
		from.Discard(len(packet))
	}
}

// maxPacket is larger than any packet here, in bytes.
const maxPacket = 16 << 10

func (r *reader) take(conn net.Conn, packet []byte) error {
	number, isMessage := bytes.CutPrefix(packet, []byte(`42["chat message","`+said))
	switch {
	case isMessage:
		return r.count(number)
	case packet[0] == '0':
		return send(conn, fmt.Sprintf(`40{"serverOffset":%d}`, r.last))
	case packet[0] == '2':
		return send(conn, "3")
	case bytes.HasPrefix(packet, []byte("40")):
		return nil
	}
	return r.fail(packet)
}

// count takes a message from its number on: 17",17] or, with the offset that recovery adds,
// 17",17,"…"]. The number in the text and the offset must both be the next ones.
func (r *reader) count(number []byte) error {
	var space [48]byte
	want := strconv.AppendInt(space[:0], int64(r.last)+1, 10)
	digits := len(want)
	want = append(want, '"', ',')
	want = append(want, want[:digits]...)
	rest, right := bytes.CutPrefix(number, want)
	if !right || len(rest) == 0 || rest[0] != ']' && rest[0] != ',' {
		return r.fail(number)
	}
	r.last++
	return nil
}

// A reader that counted wrong messages would make the benchmark meaningless.
func TestReaderTakesOnlyTheNextMessage(t *testing.T) {
	const after16 = `42["chat message","` + said
	for packet, right := range map[string]bool{
		after16 + `17",17]`:              true,
		after16 + `17",17,"an offset"]`:  true,
		after16 + `16",16]`:              false, // a duplicate
		after16 + `18",18]`:              false, // a gap
		after16 + `17",18]`:              false,
		after16 + `17",170]`:             false,
		after16 + `17"]`:                 false,
		`42["chat message","other",17]`:  false,
		`42["refused","not to be read"]`: false,
	} {
		r := &reader{last: 16}
		if err := r.take(nil, []byte(packet)); (err == nil) != right || (r.wrong == nil) != right || (r.last == 17) != right {
			t.Errorf("%s: %v, and the last is %d", packet, err, r.last)
		}
	}
}

func (r *reader) fail(packet []byte) error {
	r.wrong = fmt.Errorf("after message %d came %.100q", r.last, packet)
	return r.wrong
}

func send(conn net.Conn, packet string) error {
	return ws.WriteFrame(conn, ws.MaskFrameInPlace(ws.NewTextFrame([]byte(packet))))
}

// peakMemory returns the peak memory of the server's process since its start, in MB, or 0 if
// the system does not provide it. See VmHWM in proc(5).
func peakMemory(server *target.Command) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", server.PID()))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kilobytes, _ := strconv.Atoi(fields[1])
			return float64(kilobytes) / 1000
		}
	}
	return 0
}

// lastLine returns the last line that the server printed.
func lastLine(server *target.Command) string {
	lines := strings.Split(strings.TrimSpace(server.Output()), "\n")
	return fmt.Sprintf("its last line: %.200q", lines[len(lines)-1])
}
