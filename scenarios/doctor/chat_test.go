package doctor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/config"
	"redial/scenarios/servers"
	"redial/steps/cures/handshake"
	"redial/steps/lessons"
)

func TestMain(m *testing.M) {
	servers.BecomeStep()
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil { // the tests mostly wait for messages that do not arrive
		panic(err)
	}
	os.Exit(m.Run())
}

// An app is a small chat that differs from the tutorial's: messages are objects, in a
// namespace, at a path, and a new client receives all of them in one event.
type app struct {
	path, namespace, page string
	noEcho, noAck         bool
	expels                bool // it disconnects each client after CONNECT
	color                 bool // each message has a number that is not an offset, and no other number

	mu   sync.Mutex
	rows []map[string]any
}

func (a *app) serve(t *testing.T) (address string) {
	t.Helper()
	options := socket.DefaultServerOptions()
	options.SetPath(strings.TrimSuffix(a.path, "/"))
	io := socket.NewServer(nil, options)
	room := io.Of(a.namespace, nil)
	_ = room.On("connection", func(args ...any) {
		s := args[0].(*socket.Socket)
		if a.expels {
			s.Disconnect(false)
			return
		}
		a.mu.Lock()
		_ = s.Emit("history", map[string]any{"items": append([]map[string]any{}, a.rows...)})
		a.mu.Unlock()
		_ = s.On("send", func(args ...any) {
			body, _ := args[0].(map[string]any)
			a.mu.Lock()
			defer a.mu.Unlock()
			row := map[string]any{"body": body["body"], "id": len(a.rows) + 1, "at": 1764340000000, "snowflake": fmt.Sprint(1790000000000000000 + len(a.rows))}
			if a.color {
				row = map[string]any{"body": body["body"], "color": 7}
			}
			a.rows = append(a.rows, row)
			if a.noEcho {
				_ = s.Broadcast().Emit("new", row)
			} else {
				_ = room.Emit("new", row)
			}
			if acknowledge, ok := args[len(args)-1].(socket.Ack); ok && !a.noAck {
				acknowledge(nil, nil)
			}
		})
	})
	mux := http.NewServeMux()
	mux.Handle(a.path, handshake.Handler(io))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, a.page) })
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		io.Close(nil)
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// at makes a server at an address, which uses the protocol of a redial.yaml.
func at(t *testing.T, address, socket string) servers.Server {
	t.Helper()
	f, err := config.Parse([]byte("target: {url: \"" + address + "\"}\n" + socket))
	if err != nil {
		t.Fatal(err)
	}
	server, err := f.Server("")
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// step serves one of the kit's steps.
func step(t *testing.T, number string) (address string) {
	t.Helper()
	lesson, err := lessons.Find(number)
	if err != nil {
		t.Fatal(err)
	}
	handler, closer, err := lessons.Handler(lesson, lessons.Settings{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close(); closer.Close() })
	return server.URL
}

// examined fails the test unless the findings have the marks, written as "good lacking …" in
// the order of the IDs.
func examined(t *testing.T, server servers.Server, want map[ID]Mark) Report {
	t.Helper()
	r, err := Examine(t.Context(), server, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for id, mark := range want {
		if f, found := r.Find(id); f.Mark != mark {
			t.Errorf("%s is %q (%v, %s), want %q", id, f.Mark, found, f.Text, mark)
		}
	}
	for _, f := range r.Findings {
		if f.Mark != Good && f.Text == "" || strings.Contains(f.Text+f.Fix, "\n") {
			t.Errorf("no line of text: %+v", f)
		}
	}
	return r
}

func TestStepsAreReadyForTheirOwnLevel(t *testing.T) {
	for number, c := range map[string]struct {
		ready   contract.Level
		missing ID
	}{
		"5": {contract.Basic, Recovery}, "6": {contract.Recovery, Offset},
		"7": {contract.ServerDelivery, Key}, "8": {contract.ClientDelivery, ""},
	} {
		t.Run(number, func(t *testing.T) {
			t.Parallel()
			r := examined(t, at(t, step(t, number), ""), map[ID]Mark{HTTP: Good, Handshake: Good, Transports: Good, Connect: Good, Delivered: Good, Echo: Good, Acknowledged: Good})
			if r.Ready != c.ready {
				t.Errorf("ready for %q, want %q: %+v", r.Ready, c.ready, r.Findings)
			}
			if c.missing != "" && (len(r.Missing) == 0 || r.Missing[0] != c.missing) {
				t.Errorf("missing %q, want %q first", r.Missing, c.missing)
			}
		})
	}
}

const shape = `
socket:
  path: /ws/
  namespace: /room
  send: {event: send, args: [{body: "{{text}}"}]}
  receive: {event: new, text: $.body, offset: $.id}
`

func TestAnotherShapeIsReadAsRedialYAMLSays(t *testing.T) {
	t.Parallel()
	address := (&app{path: "/ws/", namespace: "/room"}).serve(t)
	r := examined(t, at(t, address, shape+"  history: {event: history, list: $.items}\n"), map[ID]Mark{
		Handshake: Good, Connect: Good, Delivered: Good, Echo: Good, Acknowledged: Good, Recovery: Lacking,
		Offset: Good, Growing: Good, CatchUp: Good, Backlog: Good, Key: Lacking, Log: Good,
	})
	if r.Ready != contract.ServerDelivery || r.Next != contract.ClientDelivery {
		t.Errorf("ready for %q, next %q: %+v", r.Ready, r.Next, r.Findings)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(page.Close)
	other := (&app{path: "/ws/", namespace: "/room"}).serve(t)
	silent := (&app{path: "/ws/", namespace: "/room", noEcho: true}).serve(t)
	mute := (&app{path: "/ws/", namespace: "/room", noAck: true}).serve(t)
	seven := step(t, "7")
	for name, c := range map[string]struct {
		server servers.Server
		id     ID
		mark   Mark
		says   string
		ready  contract.Level
	}{
		"no Socket.IO":        {at(t, page.URL, ""), Handshake, Bad, "no Socket.IO at /socket.io/: polling gets 404", ""},
		"another path":        {at(t, other, ""), Handshake, Bad, "no Socket.IO at /socket.io/", ""},
		"another namespace":   {at(t, other, strings.Replace(shape, "/room", "/none", 1)), Connect, Bad, "Invalid namespace", ""},
		"another event":       {at(t, other, strings.Replace(shape, "event: new", "event: news", 1)), Delivered, Bad, `"new"`, ""}, // "history" may follow it: the CONNECT packet leaves before the handler runs
		"no echo":             {at(t, silent, shape), Echo, Lacking, "does not come back", ""},
		"no echo, as claimed": {at(t, silent, shape+"  echo: false\n"), Echo, Good, "does not come back", contract.Basic},
		"an echo, not wanted": {at(t, other, shape+"  echo: false\n"), Echo, Lacking, "comes back", ""},
		"no acknowledgement":  {at(t, mute, shape), Acknowledged, Lacking, "not acknowledged", contract.Basic},
		"a clock as offset":   {at(t, other, strings.Replace(shape, "$.id", "$.at", 1)), Growing, Lacking, "do not grow: 1764340000000, 1764340000000", contract.Basic},
		"offsets past 2^53":   {at(t, other, strings.Replace(shape, "$.id", "$.snowflake", 1)), Growing, Lacking, "cannot count exactly", contract.Basic},
		"nothing is replayed": {at(t, other, shape), Backlog, Lacking, "is sent 0 of 4 messages", contract.Basic},
		"a value of no event": {at(t, other, strings.Replace(shape, `"}`, `", to: "{{to}}"}`, 1)+"  learn: [{event: users, save: {to: $.id}}]\n"), Delivered, Bad, `waits for {{to}}, which was in none of the events ["history"`, ""},
		"no log":              {at(t, other, shape+"log: {url: /}\n"), Log, Lacking, "does not answer with JSON", contract.Basic},
		"an offset that the server does not read": {at(t, seven, `
socket:
  auth: {lastSeen: "{{offset}}"}
  send: {event: chat message, args: ["{{text}}"]}
  receive: {event: chat message, text: $, offset: $2}
`), CatchUp, Lacking, "and 2 that it has", contract.Recovery},
		"a replay of nothing": {at(t, other, shape+"  auth: {since: \"{{offset}}\"}\n"), CatchUp, Lacking, "is sent 0 of the 2 messages", contract.Basic},
		"no offset there":     {at(t, other, strings.Replace(shape, "$.id", "$.body", 1)), Offset, Lacking, "no offset", contract.Basic},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := examined(t, c.server, map[ID]Mark{c.id: c.mark})
			f, _ := r.Find(c.id)
			if !strings.Contains(f.Text, c.says) {
				t.Errorf("%q does not say %q", f.Text, c.says)
			}
			if (f.Fix == "") != (c.mark == Good) {
				t.Errorf("the fix is %q", f.Fix)
			}
			if r.Ready != c.ready {
				t.Errorf("ready for %q, want %q", r.Ready, c.ready)
			}
		})
	}
}

// A server may let a client connect, and disconnect it because it is not authorised.
func TestAServerThatDisconnectsItsClientsIsNamed(t *testing.T) {
	t.Parallel()
	address := (&app{path: "/ws/", namespace: "/room", expels: true}).serve(t)
	for _, more := range []string{"", "  enter: [{await: welcome}]\n", "  reconnects: true\n"} {
		r := examined(t, at(t, address, shape+more), nil)
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
			return f.Mark == Bad && strings.Contains(f.Text, "disconnects a client after it has connected")
		}) {
			t.Errorf("with %q: %+v", more, r.Findings)
		}
	}
}

// The doctor must start and stop a command, and check that it accepts a heartbeat.
func TestCommandIsAskedForItsHeartbeat(t *testing.T) {
	t.Parallel()
	server, err := servers.Step("5")
	if err != nil {
		t.Fatal(err)
	}
	r := examined(t, server, map[ID]Mark{Heartbeat: Good, Delivered: Good})
	if f, _ := r.Find(Heartbeat); !strings.Contains(f.Text, "PING_INTERVAL") {
		t.Errorf("the step heeds the heartbeat, and the finding is %q", f.Text)
	}
}

// started is a target that is ready when its port accepts connections, as with `ready:
// port`.
type started struct{ target.Target }

func (started) Start(context.Context) error { return nil }

// A Socket.IO server without a page does not answer GET /, and can be checked nevertheless.
func TestAServerWithoutAPageIsReached(t *testing.T) {
	t.Parallel()
	listening := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer listening.Close()
	under, err := target.NewURL(listening.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := &examination{under: started{under}}
	if !x.reach(t.Context()) || !strings.Contains(x.report.Findings[0].Text, "serves no page") {
		t.Errorf("%+v", x.report.Findings)
	}
	// The first of several processes may accept connections before the others have started.
	if x.handshake(t.Context()) || !strings.Contains(x.report.Findings[1].Fix, "`ready: GET /socket.io/?EIO=4&transport=polling`") {
		t.Errorf("%+v", x.report.Findings)
	}
}

// A CONNECT packet without sid is that of Socket.IO 2.
func TestAnOlderServerIsNamed(t *testing.T) {
	t.Parallel()
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("transport") != "websocket" {
			http.NotFound(w, r)
			return
		}
		connection, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		for _, packet := range []string{`0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`, "40"} {
			_ = connection.Write(r.Context(), websocket.MessageText, []byte(packet))
		}
		_, _, _ = connection.Read(r.Context())
	}))
	t.Cleanup(listening.Close)
	r := examined(t, at(t, listening.URL, "socket: {receive: {event: m}, transports: [websocket]}\n"), map[ID]Mark{Connect: Bad})
	if f, _ := r.Find(Connect); !strings.Contains(f.Text, "Socket.IO 2") || !strings.Contains(f.Fix, "update the server") {
		t.Errorf("%+v", f)
	}
}

func TestExamineEndsWithItsContext(t *testing.T) {
	t.Parallel()
	address := (&app{path: "/ws/", namespace: "/room"}).serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Examine(ctx, at(t, address, shape), Options{}); err == nil {
		t.Error("no error, though it was cancelled")
	}
}

// unready notes how long its start may take.
type unready struct {
	target.Target
	within time.Duration
}

func (u *unready) Start(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	u.within = time.Until(deadline).Round(time.Second)
	return errors.New("it does not start")
}

// What check can start, doctor can.
func TestAStartMayTakeAsLongAsForACheck(t *testing.T) {
	for bound, want := range map[time.Duration]time.Duration{0: lab.DefaultBound, time.Minute: time.Minute} {
		server := at(t, "http://127.0.0.1:1", "")
		server.StartBound = bound
		real, u := server.Server.Target, &unready{}
		server.Server.Target = func(tuning plan.Tuning) (made target.Target, err error) {
			u.Target, err = real(tuning)
			return u, err
		}
		r, err := Examine(t.Context(), server, Options{})
		if f, _ := r.Find(HTTP); err != nil || f.Mark != Bad || u.within != want {
			t.Errorf("a start may take %s, want %s: %v, %+v", u.within, want, err, f)
		}
		u.within = 0
		_, err = Listen(t.Context(), server, ListenOptions{Doing: func(string) {}})
		if err == nil || u.within != want {
			t.Errorf("for a probe a start may take %s, want %s: %v", u.within, want, err)
		}
	}
}
