//go:build !race

package peers_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"redial/harness/target"
)

// bareVariable makes this program the bare server.
const bareVariable = "REDIAL_BARE_SERVER"

func bareServer() (*target.Command, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return target.NewCommand(target.CommandOptions{
		Command: []string{program}, Name: "bare", Env: []string{bareVariable + "=1"},
	})
}

// becomeBare serves if this process was started as the bare server, and then never returns.
func becomeBare() {
	if os.Getenv(bareVariable) == "" {
		return
	}
	s := &bare{}
	err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), s)
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// bare speaks just enough of Engine.IO and Socket.IO for the clients of BenchmarkDelivery.
type bare struct {
	mu    sync.Mutex
	conns []net.Conn
	last  int
}

func (s *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		return // the question whether it is ready
	}
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = wsutil.WriteServerText(conn, []byte(`0{"sid":"a","upgrades":[],"pingInterval":600000,"pingTimeout":600000,"maxPayload":1000000}`))
	for {
		packet, err := wsutil.ReadClientText(conn)
		if err != nil {
			return
		}
		s.take(conn, packet)
	}
}

func (s *bare) take(conn net.Conn, packet []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.HasPrefix(packet, []byte("40")) {
		s.conns = append(s.conns, conn)
		_ = wsutil.WriteServerText(conn, []byte(`40{"sid":"a"}`))
		return
	}
	ackID, event, isEvent := strings.Cut(strings.TrimPrefix(string(packet), "42"), "[")
	if !isEvent {
		return
	}
	s.last++
	frame := ws.MustCompileFrame(ws.NewTextFrame(fmt.Appendf(nil, `42[%s,%d]`, strings.TrimSuffix(event, "]"), s.last)))
	for _, conn := range s.conns {
		_, _ = conn.Write(frame)
	}
	_ = wsutil.WriteServerText(conn, []byte("43"+ackID+"[]"))
}
