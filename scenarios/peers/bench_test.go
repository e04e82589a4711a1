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
	// replayBound is how long a replay may take. What is there by then is counted.
	replayBound = 2 * time.Minute
	// memoryBound is how much a server may use, in MB, before it is stopped: what it
	// would take is not ours alone.
	memoryBound = 8_000
)

// BenchmarkReplay has each server replay a long log to clients that have nothing: the
// kit's step 7, and the same chat on the official Node server. Both are processes;
// they take turns. For each it reports the messages a second, the most memory that the
// server held, how often a client lost its connection and came again, and, where all
// of it was done within replayBound, the time until every client had every message, in
// order. The clients share the machine's cores with the server.
func BenchmarkReplay(b *testing.B) {
	peer, err := nodePeer()
	if err != nil {
		b.Skip(err)
	}
	step := stepSeven(b)
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

// stepSeven builds what `make step-7` runs, and says how it is started. The tests' own
// program could be step 7 as well, and has 20 MB more of code in its memory.
func stepSeven(b *testing.B) func() (*target.Command, error) {
	b.Helper()
	program := filepath.Join(b.TempDir(), "steps")
	if output, err := exec.Command("go", "build", "-o", program, "redial/steps").CombinedOutput(); err != nil {
		b.Fatalf("step 7 cannot be built: %v\n%s", err, output)
	}
	return func() (*target.Command, error) {
		return target.NewCommand(target.CommandOptions{Command: []string{program, "7"}, Name: "step 7"})
	}
}

// nodePeer says how the Node server is made, or what is missing for it.
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

// A load is what a server has to replay: so many messages to each of so many clients.
type load struct{ clients, messages int }

// figures are a server's, over all runs.
type figures struct {
	name string
	load
	runs, finished int
	took           time.Duration
	rows           int
	peak           float64 // MB, the most of any run
	returns        int     // of clients whose connection ended
}

// add is one run, of a new process.
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

// store writes messages 1 to count into a new database, as both servers lay it out.
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

// said is what each message says, before its number.
const said = "said while nobody was there: "

// replayed lets readers connect, all at once, and waits until each has everything,
// the server has ended or had to be stopped, or ctx ends. peak is the most memory, in
// MB, that the server was seen to have held.
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

// A reader is a client that costs little: it looks at each message where it lies in
// the buffer, and keeps none. When its connection ends it comes again with its offset,
// as a page would.
type reader struct {
	address string
	last    int // the last message; all before it are there
	returns int
	wrong   error // what came that should not have
}

// readAll returns when message number until is there.
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
		case <-time.After(time.Second): // the official client's first wait
		}
	}
}

// errRead ends a conversation that has served its purpose.
var errRead = errors.New("everything is read")

// read reads over one connection.
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

// converse makes one connection and hands each Engine.IO packet to take, where it lies
// in the buffer, until the connection ends or take returns an error.
func converse(ctx context.Context, address string, take func(conn net.Conn, packet []byte) error) error {
	conn, early, _, err := ws.Dial(ctx, "ws://"+address+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	from := bufio.NewReaderSize(conn, maxPacket)
	if early != nil { // the first packets came along with the answer
		from = bufio.NewReaderSize(early, maxPacket)
	}
	for {
		header, err := ws.ReadHeader(from)
		if err != nil {
			return err
		}
		if header.OpCode != ws.OpText || !header.Fin || header.Length > maxPacket {
			return io.EOF // a goodbye: nothing else is sent like that
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

// maxPacket is more than any packet here has, in bytes.
const maxPacket = 16 << 10

// take looks at one Engine.IO packet.
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

// count takes a message from its number on: 17",17] or, with the offset that recovery
// adds, 17",17,"…"]. The number in the text and the offset must be the next ones.
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

// A benchmark that counts a wrong message measures nothing.
func TestReaderTakesOnlyTheNextMessage(t *testing.T) {
	const after16 = `42["chat message","` + said
	for packet, right := range map[string]bool{
		after16 + `17",17]`:              true,
		after16 + `17",17,"an offset"]`:  true,
		after16 + `16",16]`:              false, // twice
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

// peakMemory is the most memory, in MB, that the server's process has held since its
// start; 0 where the system does not tell. See VmHWM in proc(5).
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

// lastLine is what the server printed last.
func lastLine(server *target.Command) string {
	lines := strings.Split(strings.TrimSpace(server.Output()), "\n")
	return fmt.Sprintf("its last line: %.200q", lines[len(lines)-1])
}
