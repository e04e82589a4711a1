// Package host serves the lab page with the native lab.
//
// Read [Handler] first. It accepts requests only from a browser on this machine that has the
// page open. Package labpage limits the content of a plan; this package limits the origin of
// requests. It must not know the content of a plan.
package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"redial/harness/lab"
	"redial/scenarios/labpage"
	"redial/scenarios/servers"
)

// The limits of a request.
const (
	mostBody    = 256 << 10
	longestReal = 5 * time.Minute
	waiting     = 16
)

// Handler serves the page at / and plays at /play and /play-real.
func Handler() http.Handler {
	h := host{turns: make(chan struct{}, waiting), real: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(labpage.Static()))
	mux.HandleFunc("GET /drawing.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		fmt.Fprint(w, labpage.DrawingStyle)
	})
	mux.HandleFunc("GET /play", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"lab":"native"}`)
	})
	mux.HandleFunc("POST /play", h.play)
	mux.HandleFunc("POST /play-real", h.playReal)
	return guarded(mux)
}

// guarded refuses requests that do not come from the page itself. A page of another site can
// send requests to this server. If that site's name resolves to this machine (DNS
// rebinding), it can also read the responses.
func guarded(next http.Handler) http.Handler {
	ownPage := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			http.Error(w, "the lab is at localhost, and at no other name", http.StatusMisdirectedRequest)
			return
		}
		if ownPage.Check(r) != nil {
			http.Error(w, "the lab plays for its own page only", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

func isLoopback(hostAndPort string) bool {
	name, _, err := net.SplitHostPort(hostAndPort)
	if err != nil {
		name = hostAndPort
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// A host limits the runs of its pages: turns bounds the queue, and real allows one run at a
// time in the real lab.
type host struct{ turns, real chan struct{} }

func (h host) play(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, h.turns, labpage.Play)
}

func (h host) playReal(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, h.real, func(ctx context.Context, request labpage.Request) labpage.Response {
		ctx, cancel := context.WithTimeout(ctx, longestReal)
		defer cancel()
		return labpage.PlayOn(ctx, request, "real", func(step string) (lab.Lab, lab.Server, lab.Config, error) {
			server, err := servers.Step(step)
			if err == nil && server.Server.Target == nil {
				err = fmt.Errorf("%s is played in the virtual lab only: it is no process", step)
			}
			return lab.Real, server.Server, servers.ConfigOf(server), err
		})
	})
}

func (h host) answer(w http.ResponseWriter, r *http.Request, turns chan struct{}, play func(context.Context, labpage.Request) labpage.Response) {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
		http.Error(w, "a plan is sent as application/json", http.StatusUnsupportedMediaType)
		return
	}
	var request labpage.Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody)).Decode(&request); err != nil {
		http.Error(w, "not a request: "+err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	default:
		http.Error(w, "the lab is busy: try again", http.StatusServiceUnavailable)
		return
	}
	response := play(r.Context(), request)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(response) // the browser may have disconnected
}
