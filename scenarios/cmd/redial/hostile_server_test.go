package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

// hostileServer is the argument that makes the test's executable one of the servers below.
const hostileServer = "hostile"

// becomeHostile serves the hostile server that the command line names, if it names one.
func becomeHostile() {
	if len(os.Args) != 3 || os.Args[1] != hostileServer {
		return
	}
	serve := hostileServers[os.Args[2]]
	if serve == nil {
		panic("no hostile server " + os.Args[2])
	}
	serve()
	os.Exit(1)
}

// forever is longer than any test runs.
const forever = time.Hour

// slowStart is longer than a start may take by default.
const slowStart = 21 * time.Second

// Most of the hostileServers are a correct chat that violates one rule, so that redial gets as
// far as the violation.
var hostileServers = map[string]func(){
	"right": func() { (&chat{}).serve() },

	// Output and disk.
	"prints endlessly":    func() { go printEndlessly(strings.Repeat("a line\n", 1000)); (&chat{}).serve() },
	"prints only garbage": func() { printEndlessly(strings.Repeat("\x1b[2J\x00\xff\a\r", 1000)) },
	"fills the disk":      fillDisk,

	// Processes.
	"leaves its session": func() { startDaemon(); (&chat{}).serve() },
	"ignores SIGTERM":    func() { signal.Ignore(syscall.SIGTERM); (&chat{}).serve() },
	"daemon":             func() { signal.Ignore(syscall.SIGTERM, syscall.SIGHUP); time.Sleep(forever) },
	"starts a daemon":    func() { daemon(); os.Exit(0) },

	// The time of a start.
	"never starts":        func() { time.Sleep(forever) },
	"never starts again":  func() { pauseBeforeSecond(forever); (&chat{}).serve() },
	"starts slowly again": func() { pauseBeforeSecond(slowStart); (&chat{}).serve() },

	// TCP, below HTTP.
	"closes at once": func() { serveTCP(func(net.Conn) {}) },
	"says nothing":   func() { serveTCP(func(net.Conn) { time.Sleep(forever) }) },
	"is not HTTP":    func() { serveTCP(func(c net.Conn) { flood(c, "\x00\xff garbage\r\n") }) },
	"endless headers": func() {
		serveTCP(func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\n"); flood(c, "X-Filler: y\r\n") })
	},

	// HTTP.
	"endless page":       func() { (&chat{routes: routes{"/": endless}}).serve() },
	"alerts without end": func() { (&chat{routes: routes{"/": chatPage(`for (;;) alert("again")`)}}).serve() },
	"alerts again and again": func() {
		(&chat{routes: routes{"/": chatPage(`setInterval(() => alert("again"), 0)`)}}).serve()
	},
	"endless library":        func() { (&chat{routes: routes{library: endless}}).serve() },
	"silent library":         func() { (&chat{routes: routes{library: silent}}).serve() },
	"library that loops":     func() { (&chat{routes: routes{library: script("for (;;) {}")}}).serve() },
	"library that is deep":   func() { (&chat{routes: routes{library: script(strings.Repeat("[", 7<<20))}}).serve() },
	"library that fills up":  func() { (&chat{routes: routes{library: script("for (let a = [];;) a.push([1])")}}).serve() },
	"library that doubles":   func() { (&chat{routes: routes{library: script("for (let s = 'x';;) s += s")}}).serve() },
	"redirects to itself":    func() { (&chat{routes: routes{"/": redirect, "/socket.io/": redirect}}).serve() },
	"library that redirects": func() { (&chat{routes: routes{library: redirect}}).serve() },
	// With the heartbeat of 45 s that the others have, its run would be given up after 65 s.
	"huge polls": func() {
		(&chat{interval: "5000", timeout: "4000", poll: func(w http.ResponseWriter, _ *http.Request) { send(w, 100<<20) }}).serve()
	},

	// WebSocket frames.
	"upgrade without end": func() { (&chat{routes: routes{"/socket.io/": silent}}).serve() },
	"garbage frames":      func() { (&chat{opened: func(c net.Conn, _ int) { flood(c, "\x8f\xff\x3f garbage") }}).serve() },
	"compressed bombs":    func() { (&chat{opened: func(c net.Conn, _ int) { flood(c, compressedBomb()) }}).serve() },
	"huge message":        func() { (&chat{opened: func(c net.Conn, _ int) { message(c, 100<<20) }}).serve() },
	"huge message for pages": func() {
		(&chat{joined: forPages(1, func(c net.Conn) error { return message(c, 100<<20) })}).serve()
	},
	"huge message for the second page": func() {
		(&chat{joined: forPages(2, func(c net.Conn) error { return message(c, 100<<20) })}).serve()
	},
	"large messages for the second page": func() {
		(&chat{joined: forPages(2, func(c net.Conn) error { return message(c, 7<<20) })}).serve()
	},
	"message without end": func() {
		(&chat{noEvents: true, joined: func(c net.Conn, _ int) {
			fragment := ws.NewTextFrame(bytes.Repeat([]byte("4"), 64<<10))
			fragment.Header.Fin = false
			_ = ws.WriteFrame(c, fragment)
			fragment.Header.OpCode = ws.OpContinuation
			flood(c, string(ws.MustCompileFrame(fragment)))
		}}).serve()
	},
	"ping frames without end": func() {
		(&chat{opened: func(c net.Conn, _ int) { flood(c, string(ws.MustCompileFrame(ws.NewPingFrame(nil)))) }}).serve()
	},

	// Engine.IO and Socket.IO packets.
	"garbage packets":    func() { (&chat{opened: func(c net.Conn, _ int) { flood(c, text("garbage")) }}).serve() },
	"pings without end":  func() { (&chat{opened: func(c net.Conn, _ int) { flood(c, text("2")) }}).serve() },
	"answers no CONNECT": func() { (&chat{noConnect: true}).serve() },
	"a million events":   func() { (&chat{joined: func(c net.Conn, _ int) { flood(c, text(event("again"))) }}).serve() },
	"a million events for the second page": func() {
		n := 1_000_000
		(&chat{joined: forPages(2, func(c net.Conn) error {
			n++
			_, err := io.WriteString(c, text(fmt.Sprintf(`42["chat message","x",%d]`, n)))
			return err
		})}).serve()
	},
	"a log without end": func() {
		(&chat{log: func(c net.Conn) {
			for n, err := 1, error(nil); err == nil; n++ {
				_, err = io.WriteString(c, text(fmt.Sprintf(`42["chat message","x %d",%d]`, n, n)))
			}
		}}).serve()
	},
	"deeply nested JSON": func() {
		deep := text(`42["chat message",` + strings.Repeat("[", 3<<20) + strings.Repeat("]", 3<<20) + `]`)
		(&chat{joined: forPages(2, func(c net.Conn) error { _, err := io.WriteString(c, deep); return err })}).serve()
	},
	"attachments that never come": func() {
		(&chat{noEvents: true, joined: func(c net.Conn, _ int) { flood(c, text(`4599-["chat message",{"_placeholder":true,"num":98}]`)) }}).serve()
	},
	"pingInterval of 0":    func() { (&chat{interval: "0", timeout: "0"}).serve() },
	"pingInterval below 0": func() { (&chat{interval: "-1", timeout: "-9223372036854775808"}).serve() },
	"pingInterval of ages": func() { (&chat{interval: "9223372036854775807", timeout: "1"}).serve() },
	"pingInterval of a week": func() {
		(&chat{interval: "604800000", timeout: "20000"}).serve()
	},
}

const library = "/socket.io/socket.io.js"

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		panic(err)
	}
	return l
}

func serveTCP(each func(net.Conn)) {
	for l := listen(); ; {
		if c, err := l.Accept(); err == nil {
			go func() { defer c.Close(); each(c) }()
		}
	}
}

func printEndlessly(text string) {
	for {
		io.WriteString(os.Stdout, text)
	}
}

// flood writes the text again and again until the connection fails.
func flood(w io.Writer, text string) {
	for many := []byte(strings.Repeat(text, 1+(16<<10)/len(text))); ; {
		if _, err := w.Write(many); err != nil {
			return
		}
	}
}

// send writes so many bytes.
func send(w io.Writer, size int) (err error) {
	piece := bytes.Repeat([]byte("4"), 64<<10)
	for ; size > 0 && err == nil; size -= len(piece) {
		_, err = w.Write(piece)
	}
	return err
}

type routes map[string]http.HandlerFunc

func endless(w http.ResponseWriter, _ *http.Request) { flood(w, "<!-- filler -->\n") }

func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, r.URL.String(), http.StatusFound)
}

// chatPage is a page of the chat, with another script.
func chatPage(more string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<ul id="messages"></ul><form id="form"><input id="input"><button>send</button></form><script>
			const socket = new WebSocket("ws://" + location.host + "/socket.io/?EIO=4&transport=websocket");
			socket.onopen = () => socket.send("40");
			socket.onmessage = ({ data }) => {
				if (data.startsWith("42")) messages.appendChild(document.createElement("li")).textContent = JSON.parse(data.slice(2))[1];
			};
			form.onsubmit = (event) => { event.preventDefault(); socket.send("42" + JSON.stringify(["chat message", input.value])); };
			%s
		</script>`, more)
	}
}

func script(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

func text(packet string) string {
	return string(ws.MustCompileFrame(ws.NewTextFrame([]byte(packet))))
}

func event(message string) string { return `42["chat message","` + message + `"]` }

// message is a chat message of about so many bytes in one frame.
func message(c net.Conn, size int) error {
	begin, end, _ := strings.Cut(event("|"), "|")
	size &^= 64<<10 - 1
	head := binary.BigEndian.AppendUint64([]byte{0x81, 127}, uint64(len(begin)+size+len(end)))
	if m, shared := c.(*member); shared { // no other frame may come within this one
		m.mu.Lock()
		defer m.mu.Unlock()
		c = m.Conn
	}
	_, err := c.Write(append(head, begin...))
	if err == nil {
		err = send(c, size)
	}
	if err == nil {
		_, err = io.WriteString(c, end)
	}
	return err
}

// forPages calls do without end for the n-th page of a process and for each later one.
// Preflight opens one page, so the second is a run's.
func forPages(n int, do func(net.Conn) error) func(net.Conn, int) {
	return func(c net.Conn, page int) {
		for err := error(nil); err == nil && page >= n; {
			err = do(c)
		}
	}
}

// compressedBomb is a frame that is marked as compressed without negotiation.
func compressedBomb() string {
	frame := ws.NewTextFrame(bytes.Repeat([]byte{0}, 1024))
	frame.Header.Rsv = ws.Rsv(true, false, false)
	return string(ws.MustCompileFrame(frame))
}

// startDaemon starts a process in a session of its own, whose parent then ends.
func startDaemon() { must(exec.Command(os.Args[0], hostileServer, "starts a daemon").Run()) }

func daemon() {
	c := exec.Command(os.Args[0], hostileServer, "daemon")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(c.Start())
}

// pauseBeforeSecond waits before each start of a run but the first.
func pauseBeforeSecond(d time.Duration) {
	started := filepath.Join(os.Getenv("DATA_DIR"), "started")
	if _, err := os.Stat(started); err == nil {
		time.Sleep(d)
	}
	must(os.WriteFile(started, nil, 0o600))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// fillDisk writes until the disk is full, and then ends as a database would.
func fillDisk() {
	file, err := os.Create(filepath.Join(os.Getenv("DATA_DIR"), "chat.db"))
	for err == nil {
		_, err = file.Write(make([]byte, 64<<10))
	}
	fmt.Println(err)
	os.Exit(1)
}
