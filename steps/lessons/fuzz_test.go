package lessons

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"redial/steps/internal/rawclient"
)

// separator stands between the packets of a fuzzed conversation, as in a polling payload.
const separator = "\x1e"

// fuzzed are the steps that store messages, each with another say.
var fuzzed = []string{"7", "8", "10"}

// A victim is a step's server in memory, and a healthy client that was there first.
type victim struct {
	pipes  *rawclient.Pipes
	folder string
	bob    *rawclient.Client
}

// attacked has a victim attacked on a fake clock. After that the server has to answer
// bob, and bob has to have heard every row of the log once and in order; it returns the
// rows.
func attacked(t *testing.T, step uint8, attack func(*testing.T, *victim), judge func(t *testing.T, rows []string)) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	defer func() {
		// The library leaves goroutines behind; which ones the tests of the cures say.
		reason := recover()
		if reason != nil && !strings.Contains(fmt.Sprint(reason), "blocked goroutines remain") {
			panic(reason)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(4 * time.Minute) }) // the last: what was closed times out
		v := &victim{pipes: rawclient.NewPipes(), folder: t.TempDir()}
		lesson, err := Find(fuzzed[int(step)%len(fuzzed)])
		if err != nil {
			t.Fatal(err)
		}
		handler, closer, err := Handler(lesson, Settings{DataDir: v.folder})
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
		go server.Serve(v.pipes)
		t.Cleanup(func() {
			if err := closer.Close(); err != nil {
				t.Error(err)
			}
			_ = server.Close()
		})
		if v.bob, err = rawclient.DialOver(t, memoryURL, nil, v.pipes.Dial); err != nil {
			t.Fatal(err)
		}
		attack(t, v)
		const last = "from bob"
		answer, err := v.bob.Ask("chat message", last, "bob's key")
		if err != nil {
			t.Fatalf("after the attack a healthy client is not answered: %v", err)
		}
		rows := v.rows(t)
		if len(rows) == 0 || rows[len(rows)-1] != last || answer["offset"] != float64(len(rows)) {
			t.Fatalf("bob's message is answered by %v, and stored are %q", answer, rows)
		}
		for i, text := range rows {
			got := v.bob.Next()
			if got.Name != "chat message" || len(got.Args) < 2 || got.Args[0] != text || got.Args[1] != float64(i+1) {
				t.Fatalf("bob hears %.200v, want %.80q with id %d", got, text, i+1)
			}
		}
		synctest.Wait()
		if more := len(v.bob.Events); more != 0 {
			t.Fatalf("bob hears %d events more than the log has rows", more)
		}
		judge(t, rows)
	})
}

const memoryURL = "http://chat.test"

// rows are the texts in the log, which are numbered from 1 without a gap.
func (v *victim) rows(t *testing.T) (texts []string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(v.folder, "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT id, content FROM messages ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			t.Fatal(err)
		}
		if texts = append(texts, text); id != len(texts) {
			t.Fatalf("row %d has id %d", len(texts), id)
		}
	}
	return texts
}

// How FuzzPackets' client speaks.
const (
	overPolling = 1 << iota // otherwise over WebSocket
	unconnected             // the connect packet is not sent for it
)

// FuzzPackets: whatever packets a client sends, each message that was acknowledged with
// an offset is the row there, each refusal has its reason in one line, and nothing else
// is stored; and all that attacked asks for. A packet that begins with b is binary.
func FuzzPackets(f *testing.F) {
	for i, packets := range []string{
		`420["chat message","a","k1"]` + separator + `421["chat message","b","k2"]` + separator + `422["chat message","a","k1"]` + separator + `423["chat message","c","k1"]`,
		`42["chat message","a"]` + separator + `42["chat message",{"a":["b"]},7]` + separator + `420["chat message"]` + separator + `421["chat message",null,""]`,
		`451-0["chat message",{"_placeholder":true,"num":0},"k"]` + separator + "bAQI=" + separator + `420["chat message","a"]`,
		`452-["chat message",{"_placeholder":true,"num":1}]` + separator + "b" + separator + "bAA==",
		"450-[\"chat message\",\"a\"]" + separator + `420["chat message","a"]`,
		"2" + separator + "3" + separator + "6" + separator + "41" + separator + `420["chat message","a"]`,
		"40" + separator + `40/other,{"a":1}` + separator + `42/other,1["chat message","a"]`,
		`40{"serverOffset":1,"fingerprint":"x"}` + separator + `40{"pid":"p","offset":"o"}` + separator + `4218446744073709551615["chat message","a\u0000b\ud800","k"]`,
		`430[{"offset":1}]` + separator + `44{}` + separator + "1", "4", "", separator, `42[1,"a"]` + separator + `42[]`,
	} {
		for step := range fuzzed {
			f.Add([]byte(packets), uint8(step), uint8(i+step)%2) // both transports
		}
	}
	f.Add([]byte(`420["chat message","a"]`+separator+"40"), uint8(1), uint8(unconnected))
	f.Add([]byte(`420["chat message","a"]`+separator+"40"), uint8(2), uint8(unconnected|overPolling))
	f.Fuzz(func(t *testing.T, packets []byte, step, mode uint8) {
		var answers []string
		texts := strings.Split(string(packets), separator)
		attacked(t, step, func(t *testing.T, v *victim) {
			before := texts
			if mode&unconnected == 0 {
				before = append([]string{"40"}, texts...)
			}
			// When a poll ends, the library (servers/engine v3.0.2) reads HttpContext.Cleanup
			// on one goroutine that it has written on another, without a lock. Where the
			// client has given the poll up, it also writes to the response of a handler
			// that has returned. The race detector sees both in some runs, and they are
			// not fixed here: so with it, all of this goes over WebSocket.
			if mode&overPolling != 0 && !underRace {
				answers = v.poll(t, before)
			} else {
				answers = v.speak(t, before)
			}
		}, func(t *testing.T, rows []string) {
			if most := len(texts) + 1; len(rows) > most {
				t.Errorf("%d rows of %d packets", len(rows), most)
			}
			asked := askedBy(texts)
			for _, answer := range answers {
				judgeAnswer(t, answer, asked, rows)
			}
		})
	})
}

// askedBy is the texts of the messages whose acknowledgement is asked for under an id
// that only one of them has.
func askedBy(packets []string) map[string]string {
	texts, times := map[string]string{}, map[string]int{}
	for _, packet := range packets {
		event, ok := strings.CutPrefix(packet, "42")
		at := strings.IndexByte(event, '[')
		var args []any
		// What comes behind the first JSON value, the library does not look at.
		if !ok || at < 1 || json.NewDecoder(strings.NewReader(event[at:])).Decode(&args) != nil || len(args) < 2 {
			continue
		}
		number, err := strconv.ParseUint(event[:at], 10, 64)
		text, isText := args[1].(string)
		if id := strconv.FormatUint(number, 10); err == nil {
			if times[id]++; isText && args[0] == "chat message" {
				texts[id] = text
			}
		}
	}
	for id, n := range times {
		if n > 1 {
			delete(texts, id)
		}
	}
	return texts
}

// judgeAnswer looks at an acknowledgement, the packet 43.
func judgeAnswer(t *testing.T, packet string, asked map[string]string, rows []string) {
	t.Helper()
	at := strings.IndexByte(packet, '[')
	var args []struct {
		Offset *int
		Error  *string
	}
	if at < 0 || json.Unmarshal([]byte(packet[at:]), &args) != nil || len(args) != 1 {
		t.Errorf("no acknowledgement: %.200q", packet)
		return
	}
	answer := args[0]
	switch {
	case answer.Offset == nil && answer.Error != nil:
		if *answer.Error == "" || strings.ContainsAny(*answer.Error, "\n\r") {
			t.Errorf("the reason of a refusal is %q", *answer.Error)
		}
	case answer.Offset == nil || answer.Error != nil:
		t.Errorf("neither an offset nor an error: %.200q", packet)
	case *answer.Offset < 1 || *answer.Offset > len(rows):
		t.Errorf("%.200q acknowledges a row of %d", packet, len(rows))
	default:
		id := strings.TrimPrefix(packet[:at], "43")
		if text, one := asked[id]; one && rows[*answer.Offset-1] != text {
			t.Errorf("%.80q acknowledges %.80q, and stored there is %.80q", packet, text, rows[*answer.Offset-1])
		}
	}
}

// client is net/http's, over the pipes.
func (v *victim) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: v.pipes.Dial}}
}

// speak sends the packets over a WebSocket, and returns the acknowledgements.
func (v *victim) speak(t *testing.T, packets []string) (answers []string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	conn, _, err := websocket.Dial(ctx, memoryURL+"/socket.io/?EIO=4&transport=websocket", &websocket.DialOptions{HTTPClient: v.client()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			_, data, err := conn.Read(ctx)
			if err != nil {
				return
			}
			if strings.HasPrefix(string(data), "43") {
				answers = append(answers, string(data))
			}
		}
	})
	for _, packet := range packets {
		kind := websocket.MessageText
		attachment, isBinary := strings.CutPrefix(packet, "b")
		if isBinary {
			kind, packet = websocket.MessageBinary, attachment
		}
		// Where the server has closed the connection, the rest is not heard.
		if conn.Write(ctx, kind, []byte(packet)) != nil {
			break
		}
	}
	time.Sleep(time.Second)
	cancel()
	reading.Wait()
	return answers
}

// poll posts the packets as one payload, and returns the acknowledgements.
func (v *victim) poll(t *testing.T, packets []string) (answers []string) {
	address := memoryURL + "/socket.io/?EIO=4&transport=polling"
	client := v.client()
	defer client.CloseIdleConnections()
	ask := func(ctx context.Context, method, address, body string) (string, bool) {
		request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			return "", false
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if response.StatusCode >= 500 {
			t.Errorf("%s is answered by %s", method, response.Status)
		}
		return string(text), err == nil && response.StatusCode == http.StatusOK
	}
	opening, ok := ask(t.Context(), http.MethodGet, address, "")
	var open struct{ SID string }
	if !ok || json.Unmarshal([]byte(strings.TrimPrefix(opening, "0")), &open) != nil {
		t.Fatalf("no open packet: %q", opening)
	}
	address += "&sid=" + open.SID
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			payload, ok := ask(ctx, http.MethodGet, address, "")
			if !ok {
				return
			}
			for packet := range strings.SplitSeq(payload, separator) {
				if strings.HasPrefix(packet, "43") {
					answers = append(answers, packet)
				}
			}
		}
	})
	ask(t.Context(), http.MethodPost, address, strings.Join(packets, separator))
	time.Sleep(time.Second)
	// A goodbye, which answers the poll that is under way: given up, it would race; see
	// FuzzPackets.
	ask(t.Context(), http.MethodPost, address, "1")
	time.Sleep(time.Second)
	cancel()
	reading.Wait()
	return answers
}

// FuzzRequests: whatever bytes come instead of an HTTP request, the answer is HTTP and
// no failure of the server's; and all that attacked asks for.
func FuzzRequests(f *testing.F) {
	const poll, host = "/socket.io/?EIO=4&transport=polling", " HTTP/1.1\r\nHost: chat.test\r\n"
	for i, request := range []string{
		"GET /" + host + "\r\n", "HEAD / HTTP/1.0\r\n\r\n", "GET " + poll + host + "\r\n", "OPTIONS " + poll + host + "\r\n",
		"POST " + poll + "&sid=x" + host + "Content-Length: 2\r\n\r\n40", "GET /socket.io/?EIO=3&transport=polling&b64=1" + host + "\r\n",
		"GET /socket.io/?EIO=4&transport=websocket" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x82\x00\x00\x00\x0040",
		"GET /socket.io/?EIO=4&transport=websocket" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"GET /socket.io/?transport=webtransport" + host + "\r\n", "POST " + poll + host + "Transfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n",
		"GET /socket.io/socket.io.js" + host + "Range: bytes=0-1\r\nIf-None-Match: *\r\n\r\n", "PUT /socket.io" + host + "\r\n", "GET /%00/../chat.db" + host + "\r\n", "\x16\x03\x01", "",
	} {
		f.Add([]byte(request), uint8(i))
	}
	f.Fuzz(func(t *testing.T, request []byte, step uint8) {
		attacked(t, step, func(t *testing.T, v *victim) {
			conn, err := v.pipes.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			answered := make(chan string)
			go func() {
				answer, _ := io.ReadAll(io.LimitReader(conn, 1<<20)) // ends with the connection
				answered <- string(answer)
				_, _ = io.Copy(io.Discard, conn)
			}()
			_, _ = conn.Write(request)
			time.Sleep(time.Second)
			_ = conn.Close()
			answer := <-answered
			var code int
			if _, err := fmt.Sscanf(answer, "HTTP/1.1 %d ", &code); answer != "" && err != nil && !strings.HasPrefix(answer, "HTTP/1.0 ") {
				t.Errorf("the answer is %.200q", answer)
			}
			// 501 and 505 are net/http's own answers to what it does not speak.
			if code >= 500 && code != http.StatusNotImplemented && code != http.StatusHTTPVersionNotSupported {
				t.Errorf("the answer is %.200q", answer)
			}
		}, func(t *testing.T, rows []string) {
			if len(rows) != 1 {
				t.Errorf("one request has stored %q", rows[:len(rows)-1])
			}
		})
	})
}
