package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gobwas/ws"
)

// A chat is a correct server at level server-delivery, except for the effects of its fields.
type chat struct {
	routes            routes
	poll              http.HandlerFunc
	interval, timeout string // of the heartbeat, in milliseconds
	noConnect         bool   // the server does not answer a CONNECT packet
	noEvents          bool   // it does not answer events: a flood would hide some answers by chance

	// opened is called in a goroutine after the open packet, and joined after CONNECT, with
	// the number of the page, from 1 on; 0 means a client that is not a page.
	opened, joined func(c net.Conn, page int)
	log            func(net.Conn) // sends to the reader of the log

	mu    sync.Mutex
	pages int
	rows  []string
	conns map[*member]bool
}

// A member is sent its packets in order, while a flood may share its connection.
type member struct {
	net.Conn
	page int
	mu   sync.Mutex
	out  chan string
}

func (m *member) Write(data []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Conn.Write(data)
}

func (s *chat) openPacket() string {
	return fmt.Sprintf(`0{"sid":"s","upgrades":[],"pingInterval":%s,"pingTimeout":%s}`, cmp.Or(s.interval, "25000"), cmp.Or(s.timeout, "20000"))
}

func logFile() string { return filepath.Join(os.Getenv("DATA_DIR"), "log") }

func (s *chat) serve() {
	s.conns = map[*member]bool{}
	if text, err := os.ReadFile(logFile()); err == nil {
		s.rows = strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	must(http.Serve(listen(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		special := s.routes[r.URL.Path]
		switch {
		case special != nil:
			special(w, r)
		case r.URL.Path == "/":
			fmt.Fprint(w, "a chat")
		case r.URL.Path != "/socket.io/":
			http.NotFound(w, r)
		case r.Header.Get("Upgrade") != "":
			s.websocket(w, r)
		case s.poll != nil:
			s.poll(w, r)
		default:
			fmt.Fprint(w, s.openPacket())
		}
	})))
}

func (s *chat) websocket(w http.ResponseWriter, r *http.Request) {
	conn, buffered, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	defer conn.Close()
	m := &member{Conn: conn, out: make(chan string, 10_000)}
	go func() {
		for packet := range m.out {
			_, _ = io.WriteString(m, text(strings.TrimSpace(packet)))
		}
	}()
	s.mu.Lock()
	if strings.Contains(r.UserAgent(), "redial page") {
		s.pages++
		m.page = s.pages
	}
	s.mu.Unlock()
	m.out <- s.openPacket()
	if s.opened != nil {
		go s.opened(m, m.page)
	}
	defer func() { s.mu.Lock(); delete(s.conns, m); close(m.out); s.mu.Unlock() }()
	for {
		header, err := ws.ReadHeader(buffered)
		if err != nil || header.OpCode == ws.OpClose || header.Length > 1<<20 {
			return
		}
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(buffered, payload); err != nil {
			return
		}
		ws.Cipher(payload, header.Mask, 0)
		s.packet(m, string(payload))
	}
}

// packet answers one Engine.IO packet.
func (s *chat) packet(m *member, packet string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if auth, connects := strings.CutPrefix(packet, "40"); connects {
		s.connect(m, auth)
		return
	}
	if s.noEvents {
		return
	}
	event, isEvent := strings.CutPrefix(packet, "42")
	begin := strings.IndexByte(event, '[')
	var args []any
	if !isEvent || begin < 0 || json.Unmarshal([]byte(event[begin:]), &args) != nil || len(args) < 2 {
		return
	}
	out, _ := json.Marshal([]any{args[0], args[1], len(s.rows) + 1})
	row := "42" + string(out) + "\n"
	s.rows = append(s.rows, row)
	must(os.WriteFile(logFile(), []byte(strings.Join(s.rows, "")), 0o600))
	for other := range s.conns {
		other.out <- row
	}
	if begin > 0 {
		m.out <- "43" + event[:begin] + "[]"
	}
}

func (s *chat) connect(m *member, auth string) {
	if s.noConnect {
		return
	}
	if answer := `40{"sid":"s"}`; s.joined == nil {
		m.out <- answer
	} else { // before what joined sends
		_, _ = io.WriteString(m, text(answer))
	}
	if s.log != nil && m.page == 0 && s.pages > 0 {
		go s.log(m)
		return
	}
	var from struct{ ServerOffset int }
	_ = json.Unmarshal([]byte(auth), &from)
	for _, row := range s.rows[min(from.ServerOffset, len(s.rows)):] {
		m.out <- row
	}
	s.conns[m] = true
	if s.joined != nil {
		go s.joined(m, m.page)
	}
}
