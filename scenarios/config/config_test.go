package config

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"redial/harness/client/wire"
	"redial/harness/contract"
	"redial/harness/plan"
	"redial/harness/target"
)

const whole = `
target:
  command: node chat.js --port {{port}}
  env: {NODE_ENV: test}
  ready: GET /healthz
  readyWithin: 90s
level: client-delivery
socket:
  path: /ws/
  namespace: /chat
  parser: msgpack
  auth: {token: "${REDIAL_TOKEN}-{{client}}", since: "{{offset}}"}
  headers: {X-Room: lobby}
  enter:
    - emit: [add user, "{{client}}"]
      ack: true
      save: {session: $.id}
    - await: login
  send: {event: new message, args: [{body: "{{text}}", id: "{{key}}"}]}
  receive: {event: new message, text: $.body, offset: $2}
  echo: false
log: {sql: "SELECT id, body FROM messages ORDER BY id", file: "{{data}}/chat.db"}
`

func TestParseReadsEveryKey(t *testing.T) {
	t.Setenv("REDIAL_TOKEN", "secret: 1")
	f, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Server("")
	if err != nil {
		t.Fatal(err)
	}
	p := s.Protocol
	switch {
	case s.StartBound != 90*time.Second:
		t.Errorf("a start may take %s", s.StartBound)
	case s.Level != contract.ClientDelivery, p.Path != "/ws/", p.Namespace != "/chat", p.Parser != "msgpack":
		t.Errorf("got %+v at %s", p, s.Level)
	case p.Auth["token"] != "secret: 1-{{client}}" || p.Auth["since"] != "{{offset}}":
		t.Errorf("auth: %v", p.Auth)
	case len(p.Enter) != 2 || !p.Enter[0].Ack || p.Enter[0].Save["session"] != "$.id" || p.Enter[1].Await != "login":
		t.Errorf("enter: %+v", p.Enter)
	case !reflect.DeepEqual(p.Send.Args, []any{map[string]any{"body": "{{text}}", "id": "{{key}}"}}) || p.Send.NoAck:
		t.Errorf("send: %+v", p.Send)
	case p.Receive.Text != "$.body" || p.Receive.Offset != "$2" || !p.NoEcho || s.ReadLog == nil:
		t.Errorf("receive %+v, no echo %v, log %v", p.Receive, p.NoEcho, s.ReadLog != nil)
	case !reflect.DeepEqual(s.Command, []string{"/bin/sh", "-c", "node chat.js --port {{port}}"}):
		t.Errorf("command: %q", s.Command)
	}
}

func TestMistakesAreNamedInOneLine(t *testing.T) {
	for want, text := range map[string]string{
		"it has to be one YAML document":                            "",
		`line 2: unknown field "lvel"`:                              "target: {command: x}\nlvel: basic",
		`line 3: "many" is text, and here belongs a number`:         "target:\n  command: x\n  port: many",
		"line 1: target: it needs either a command or a url":        "target: {dir: x}",
		"line 3: socket: transports: there is no transport \"tcp\"": "target: {command: x}\nsocket:\n  transports: [tcp]\n  receive: {event: m}",
		"either a command or a url":                                 "target: {}",
		"line 1: the environment variable REDIAL_UNSET is not set":  `target: {command: "${REDIAL_UNSET}"}`,
		`there is no level "best"`:                                  "target: {command: x}\nlevel: best",
		"runs share a url":                                          "target: {url: \"http://x\", isolated: true}",
		"tls is for an https url":                                   "target: {command: x, tls: {}}",
		"not \"soon\"":                                              "target: {command: x, ready: soon}",
		"socket: receive: event is missing":                         "target: {command: x}\nsocket: {path: /ws/}",
		"no argument contains {{text}}":                             "target: {command: x}\nsocket: {send: {event: m, args: [x]}, receive: {event: m}}",
		"needs a {{key}}":                                           "target: {command: x}\nlevel: client-delivery\nsocket: {send: {event: m, args: [\"{{text}}\"]}, receive: {event: m}}",
		"is about what clients send":                                "target: {command: x}\nlevel: client-delivery\nsocket: {receive: {event: m}}",
		"needs acknowledgements":                                    "target: {command: x}\nlevel: client-delivery\nsocket: {send: {event: m, ack: false, args: [\"{{text}}\", \"{{key}}\"]}, receive: {event: m}}",
		"sql needs either file or postgres":                         "target: {command: x}\nlog: {sql: SELECT 1}",
		"line 3: socket: parser: the kit's clients are written in Go and cannot run the parser in ./mine.js: ": "target: {command: x}\nsocket:\n  parser: ./mine.js\n  receive: {event: m}",
		"line 3: socket: parser: there is no parser \"xml\"":                                                   "target: {command: x}\nsocket:\n  parser: xml\n  receive: {event: m}",
		"line 4: the path \"id\" does not begin with $":                                                        "target: {command: x}\nsocket:\n  receive:\n    {event: m, offset: id}",
		"line 3: the path \"$.[\": ":                                                                           "target: {command: x}\nsocket:\n  learn: [{event: m, save: {to: \"$.[\"}}]\n  receive: {event: m}",
		"line 2: the path \"content\" does not begin":                                                          "target: {command: x}\nlog: {url: /log, text: content}",
		"line 2: the path \"$0\": arguments are counted from $1 on":                                            "target: {command: x}\nlog: {url: /log, offset: $0}",
		"line 5: socket: enter, step 2: it needs emit or await":                                                "target: {command: x}\nsocket:\n  enter:\n    - emit: [a]\n    - ack: true\n  receive: {event: m}",
		"line 4: socket: learn, entry 1: it needs event and save":                                              "target: {command: x}\nsocket:\n  learn:\n    - {event: a}\n  receive: {event: m}",
		"line 4: page: enter, step 1: it needs one of fill, press":                                             "target: {command: x}\npage:\n  enter:\n    - {with: a}\n  messages: li",
		"line 3: a duration is written like 1.5s or 200ms, not \"60\"":                                         "target:\n  command: x\n  readyWithin: 60",
		"line 3: a duration is written like 1.5s or 200ms, not \"soon\"":                                       "target:\n  command: x\n  readyWithin: soon",
		"line 3: target: readyWithin: a start may take from 1s to 10m":                                         "target:\n  command: x\n  readyWithin: 0s",
		"target: readyWithin: a start may take":                                                                "target: {command: x, readyWithin: 11m}",
		"readyWithin are for a command":                                                                        "target: {url: \"http://x\", readyWithin: 30s}",
		"line 2: ":                                                                                             "target: {command: x}\n\tlevel: basic",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: want one line with %q, got %v", text, want, err)
		}
	}
}

// Paths in an event begin with $ as well, and must not be replaced as environment variables.
func TestPathsAreNoVariables(t *testing.T) {
	f, err := Parse([]byte("target: {command: echo $HOME}\nsocket: {receive: {event: m, text: $.a, offset: $2}}"))
	if err != nil || f.Socket.Receive.Text != "$.a" || f.Socket.Receive.Offset != "$2" || f.Target.Command[2] != "echo $HOME" {
		t.Errorf("%+v, %v", f, err)
	}
}

// PORT and DATA_DIR of a command are those of its run, also where it is a list and no shell knows them.
func TestPortOfACommandIsThatOfItsRun(t *testing.T) {
	t.Setenv("PORT", "1")
	t.Setenv("REDIAL_APP", "app:app")
	for _, text := range []string{
		`target: {command: "uvicorn ${REDIAL_APP} --port ${PORT} ${DATA_DIR}"}`,
		`target: {command: [/bin/sh, -c, "uvicorn ${REDIAL_APP} --port ${PORT} ${DATA_DIR}"]}`,
		"target:\n  command: |-\n    uvicorn ${REDIAL_APP} --port ${PORT} ${DATA_DIR}",
		`target: {command: [uvicorn, "uvicorn ${REDIAL_APP} --port ${PORT} ${DATA_DIR}"]}`,
	} {
		f, err := Parse([]byte(text))
		if err != nil || f.Target.Command[len(f.Target.Command)-1] != "uvicorn app:app --port {{port}} {{data}}" {
			t.Errorf("%s: %+v, %v", text, f, err)
		}
	}
	if f, err := Parse([]byte(`target: {command: x, env: {LISTEN: "${PORT}"}}`)); err != nil || f.Target.Env["LISTEN"] != "1" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestExplainKnowsEveryKey(t *testing.T) {
	for _, name := range []string{"", "target", "target.command", "socket.send.event", "socket.enter.save", "log.sql"} {
		key, err := Explain(name)
		if err != nil || key.Help == "" || key.Name != name {
			t.Errorf("%q: %+v, %v", name, key, err)
		}
	}
	if key, _ := Explain("level"); len(key.Values) != len(contract.Levels) {
		t.Errorf("the levels are %v", key.Values)
	}
	if _, err := Explain("socket.sned"); err == nil || !strings.Contains(err.Error(), "socket.send") {
		t.Errorf("a wrong key is told which there are; got %v", err)
	}
	var help func(k Key)
	help = func(k Key) {
		if k.Help == "" {
			t.Errorf("%s is not described", k.Name)
		}
		for _, below := range k.Keys {
			help(below)
		}
	}
	file, _ := Explain("")
	help(file)
}

// kept is a target with a data folder.
type kept struct {
	target.Target
	address, folder string
}

func (k kept) DataDir() string { return k.folder }
func (k kept) Address() string { return k.address }

func TestLogIsReadFromADatabaseAndOverHTTP(t *testing.T) {
	folder := t.TempDir()
	db, err := sql.Open("sqlite3", filepath.Join(folder, "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE m (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO m (body) VALUES ('one'), ('two')"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/private" && r.Header.Get("Authorization") != "Bearer t" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte(`{"all": [{"id": 1, "body": "one"}, {"id": 2, "body": "two"}]}`))
	}))
	defer server.Close()
	under := kept{address: server.Listener.Addr().String(), folder: folder}
	numbered := []wire.Row{{Message: "one", Offset: 1}, {Message: "two", Offset: 2}}
	plain := []wire.Row{{Message: "one"}, {Message: "two"}}
	for name, c := range map[string]struct {
		log    Log
		opaque bool
		want   []wire.Row
	}{
		"sqlite":           {Log{SQL: "SELECT id, body FROM m ORDER BY id", File: "{{data}}/chat.db"}, false, numbered},
		"opaque in sqlite": {Log{SQL: "SELECT 'no. ' || id, body FROM m ORDER BY id", File: "{{data}}/chat.db"}, true, plain},
		"http":             {Log{URL: "/messages", List: "$.all", Text: "$.body", Offset: "$.id"}, false, numbered},
		"with a header":    {Log{URL: "/private", Headers: map[string]string{"Authorization": "Bearer t"}, List: "$.all", Text: "$.body", Offset: "$.id"}, false, numbered},
		"opaque over http": {Log{URL: "/messages", List: "$.all", Text: "$.body", Offset: "$.id"}, true, plain},
		"without offsets":  {Log{URL: "/messages", List: "$.all", Text: "$.body"}, false, plain},
	} {
		rows, err := c.log.Reader(folder, c.opaque)(context.Background(), under)
		if err != nil || !reflect.DeepEqual(rows, c.want) {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
	}
	for want, l := range map[string]Log{
		"the query failed":     {SQL: "SELECT nothing", File: "{{data}}/chat.db"},
		"two columns":          {SQL: "SELECT body FROM m", File: "{{data}}/chat.db"},
		"a whole number":       {SQL: "SELECT body, body FROM m", File: "{{data}}/chat.db"},
		"unable to open":       {SQL: "SELECT 1, 2", File: "{{data}}/other.db"},
		"401 Unauthorized":     {URL: "/private", List: "$.all", Text: "$.body"},
		"no whole number at $": {URL: "/messages", List: "$.all", Text: "$.body", Offset: "$.body"},
	} {
		if _, err := l.Reader(folder, false)(context.Background(), under); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestAServerStartsInTheFolderOfItsFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, FileName)
	if err := os.WriteFile(path, []byte("target: {command: [sh, -c, 'pwd; exit 3']}\nlevel: basic"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Server(contract.Recovery)
	if err != nil || s.Level != contract.Recovery {
		t.Fatalf("%v, %v", s.Level, err)
	}
	under, err := s.Server.Target(plan.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	defer under.Close()
	resolved, _ := filepath.EvalSymlinks(folder)
	if err := under.Start(t.Context()); err == nil || !strings.Contains(err.Error(), resolved) {
		t.Errorf("the command is to print the folder and end: %v", err)
	}
}
