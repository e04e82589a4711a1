package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
)

// conformanceServer is the server of the conformance cases.
func conformanceServer(t testing.TB) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>conformance</title><body></body>")
	})
	hold := make(chan struct{})
	serveSockets(mux, hold)
	serveRequests(mux, hold)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		close(hold)
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

func serveSockets(mux *http.ServeMux, hold <-chan struct{}) {
	upgrader := websocket.Upgrader{Subprotocols: []string{"chat"}}
	socket := func(path string, serve func(r *http.Request, conn *websocket.Conn)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			conn, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer conn.Close()
			serve(r, conn)
		})
	}
	drain := func(conn *websocket.Conn, each func(kind int, data []byte)) {
		for {
			kind, data, err := conn.ReadMessage()
			if err != nil {
				return
			}
			each(kind, data)
		}
	}
	var counted atomic.Int64
	socket("/ws/echo", func(_ *http.Request, conn *websocket.Conn) {
		drain(conn, func(kind int, data []byte) { _ = conn.WriteMessage(kind, data) })
	})
	socket("/ws/count", func(_ *http.Request, conn *websocket.Conn) {
		counted.Store(0)
		drain(conn, func(int, []byte) { counted.Add(1) })
	})
	mux.HandleFunc("/ws/counted", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, counted.Load()) })
	socket("/ws/close", func(r *http.Request, conn *websocket.Conn) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		payload := []byte{}
		if code != 0 {
			payload = websocket.FormatCloseMessage(code, r.FormValue("reason"))
		}
		_ = conn.WriteMessage(websocket.CloseMessage, payload)
		drain(conn, func(int, []byte) {})
	})
	socket("/ws/drop", func(*http.Request, *websocket.Conn) {})
	socket("/ws/reset", func(_ *http.Request, conn *websocket.Conn) {
		_ = conn.NetConn().(*net.TCPConn).SetLinger(0)
	})
	socket("/ws/garbage", func(_ *http.Request, conn *websocket.Conn) {
		// A reserved bit without a negotiated extension.
		_, _ = conn.NetConn().Write([]byte{0xc1, 0x01, 'x'})
		drain(conn, func(int, []byte) {})
	})
	mux.HandleFunc("/ws/refuse", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	mux.HandleFunc("/ws/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-hold:
		}
	})
}

func serveRequests(mux *http.ServeMux, hold <-chan struct{}) {
	mux.HandleFunc("/http/hello", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Test", "yes")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, "h\u00e9llo")
	})
	mux.HandleFunc("/http/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, strings.Join([]string{r.Method, r.Header.Get("Content-Type"), r.Header.Get("X-One"), string(body)}, "|"))
	})
	mux.HandleFunc("/http/bytes", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write([]byte{0, 0xff, 1, 0x80})
	})
	mux.HandleFunc("/http/json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"a":1}`)
	})
	mux.HandleFunc("/http/empty", func(w http.ResponseWriter, r *http.Request) {})
	mux.HandleFunc("/http/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-hold:
		}
	})
	mux.HandleFunc("/http/drop", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/http/fresh", func(w http.ResponseWriter, r *http.Request) {})
	// These drop the first request and answer the number of requests to later ones.
	for _, path := range []string{"/http/once-get", "/http/once-post"} {
		var came atomic.Int64
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if came.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			fmt.Fprint(w, came.Load())
		})
	}
	mux.HandleFunc("/http/half", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/http/set-cookie", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "kept", Path: "/"})
	})
	mux.HandleFunc("/http/cookie", func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("c"); err == nil {
			fmt.Fprint(w, cookie.Value)
		}
	})
}
