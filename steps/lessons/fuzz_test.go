package lessons

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"redial/harness/lab/race"
	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
)

// separator separates packets, as in a payload of HTTP long-polling.
const separator = "\x1e"

// fuzzed are the steps from the first with messages that other pages receive. The first two store
// nothing.
var fuzzed = []string{"5", "6", "7", "8", "9", "10"}

// stores tells whether the step has a log.
func stores(step uint8) bool { return int(step)%len(fuzzed) >= 2 }

// A target is a step's server in memory, and a correct client that connected first.
type target struct {
	pipes  *rawclient.Pipes
	folder string
	bob    *rawclient.Client
}

// attack runs send on a fake clock. After that the server has to acknowledge a message of bob,
// and bob has to receive every row of the log once and in order. check gets the rows, which are
// what bob has received where the step has no log.
func attack(t *testing.T, step uint8, send func(*testing.T, *target), check func(t *testing.T, rows []string)) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	rawclient.OnFakeClock(t, func(t *testing.T) {
		v := &target{pipes: rawclient.NewPipes(), folder: t.TempDir()}
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
		send(t, v)
		const last = "from bob"
		answer, err := v.bob.Ask("chat message", last, "bob's key")
		if err != nil {
			t.Fatalf("after the attack bob's message is not acknowledged: %v", err)
		}
		if !stores(step) {
			rows := v.received()
			if len(rows) == 0 || rows[len(rows)-1] != last || len(answer) != 0 {
				t.Fatalf("the acknowledgement of bob's message is %v, and bob has received %.200q", answer, rows)
			}
			check(t, rows)
			return
		}
		rows := chattest.Stored(t, v.folder)
		if len(rows) == 0 || rows[len(rows)-1] != last || answer["offset"] != float64(len(rows)) {
			t.Fatalf("the acknowledgement of bob's message is %v, and stored are %q", answer, rows)
		}
		for i, text := range rows {
			got := v.bob.Next()
			if got.Name != "chat message" || len(got.Args) < 2 || got.Args[0] != text || got.Args[1] != float64(i+1) {
				t.Fatalf("bob receives %.200v, want %.80q with id %d", got, text, i+1)
			}
		}
		synctest.Wait()
		if more := len(v.bob.Events); more != 0 {
			t.Fatalf("bob receives %d events more than the log has rows", more)
		}
		check(t, rows)
	}, "pkg/queue.New")
}

// received is what bob has been sent as chat messages. A step that stores nothing emits a message
// before it acknowledges it.
func (v *target) received() (texts []string) {
	synctest.Wait()
	for len(v.bob.Events) > 0 {
		if event := v.bob.Next(); event.Name == "chat message" {
			texts = append(texts, fmt.Sprint(event.Args[0])) // step 6 sends an offset, too
		}
	}
	return texts
}

const memoryURL = "http://chat.test"

// The bits of the mode in FuzzPackets.
const (
	overPolling = 1 << iota // otherwise over WebSocket
	unconnected             // without a connect packet before the fuzzed packets
)

// FuzzPackets sends any packets. Each message that is acknowledged with an offset has to be the
// row there, each refusal has to have a reason of one line, and nothing else may be stored. Where
// nothing is stored, an acknowledgement is empty. A packet that begins with b is binary. Each input
// under testdata/fuzz was found by fuzzing and runs code that the seeds here do not.
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
	f.Add([]byte(`420["chat message","a"]`+separator+"40"), uint8(3), uint8(unconnected))
	f.Add([]byte(`420["chat message","a"]`+separator+"40"), uint8(5), uint8(unconnected|overPolling))
	f.Fuzz(func(t *testing.T, packets []byte, step, mode uint8) {
		var answers []string
		texts := strings.Split(string(packets), separator)
		attack(t, step, func(t *testing.T, v *target) {
			packets := texts
			if mode&unconnected == 0 {
				packets = append([]string{"40"}, texts...)
			}
			// The library (servers/engine v3.0.2) has two data races in long-polling: it
			// writes HttpContext.Cleanup and reads it on another goroutine without a lock,
			// and it writes the response to a canceled poll after the handler has returned.
			// So under the race detector this test uses only WebSocket.
			if mode&overPolling != 0 && !race.Enabled {
				answers = v.sendOverPolling(t, packets)
			} else {
				answers = v.sendOverWebSocket(t, packets)
			}
		}, func(t *testing.T, rows []string) {
			if most := len(texts) + 1; len(rows) > most {
				t.Errorf("%d rows of %d packets", len(rows), most)
			}
			sent := textsByAckID(texts)
			for _, answer := range answers {
				if !stores(step) && strings.HasSuffix(answer, "[{}]") {
					continue
				}
				checkAcknowledgement(t, answer, sent, rows)
			}
		})
	})
}

// textsByAckID returns the texts of the messages by their acknowledgement ids, without ids that
// several messages have.
func textsByAckID(packets []string) map[string]string {
	texts, times := map[string]string{}, map[string]int{}
	for _, packet := range packets {
		event, ok := strings.CutPrefix(packet, "42")
		at := strings.IndexByte(event, '[')
		var args []any
		// The library ignores what follows the first JSON value.
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

// checkAcknowledgement checks a packet of the type 43.
func checkAcknowledgement(t *testing.T, packet string, sent map[string]string, rows []string) {
	t.Helper()
	at := strings.IndexByte(packet, '[')
	var args []struct {
		Offset *int
		Error  *string
	}
	if at < 0 || json.Unmarshal([]byte(packet[at:]), &args) != nil || len(args) != 1 {
		t.Errorf("not an acknowledgement: %.200q", packet)
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
		t.Errorf("%.200q acknowledges a row, and the log has %d", packet, len(rows))
	default:
		id := strings.TrimPrefix(packet[:at], "43")
		if text, found := sent[id]; found && rows[*answer.Offset-1] != text {
			t.Errorf("%.80q acknowledges %.80q, and the row there is %.80q", packet, text, rows[*answer.Offset-1])
		}
	}
}

// client is an HTTP client over the pipes.
func (v *target) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: v.pipes.Dial}}
}

// sendOverWebSocket sends the packets and returns the acknowledgements.
func (v *target) sendOverWebSocket(t *testing.T, packets []string) (answers []string) {
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
		// The server may have closed the connection.
		if conn.Write(ctx, kind, []byte(packet)) != nil {
			break
		}
	}
	time.Sleep(time.Second)
	cancel()
	reading.Wait()
	return answers
}

// sendOverPolling posts the packets as one payload, and returns the acknowledgements.
func (v *target) sendOverPolling(t *testing.T, packets []string) (answers []string) {
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
			t.Errorf("the response to %s is %s", method, response.Status)
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
	// A close packet, to which the server responds in the open poll. A canceled poll would be a
	// data race; see FuzzPackets.
	ask(t.Context(), http.MethodPost, address, "1")
	time.Sleep(time.Second)
	cancel()
	reading.Wait()
	return answers
}

// FuzzRequests sends any bytes in place of an HTTP request. The response has to be HTTP, and not
// an error of the server.
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
		attack(t, step, func(t *testing.T, v *target) {
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
				t.Errorf("the response is %.200q", answer)
			}
			// net/http itself responds with 501 and 505.
			if code >= 500 && code != http.StatusNotImplemented && code != http.StatusHTTPVersionNotSupported {
				t.Errorf("the response is %.200q", answer)
			}
		}, func(t *testing.T, rows []string) {
			if len(rows) != 1 {
				t.Errorf("a request without a message stored %q", rows[:len(rows)-1])
			}
		})
	})
}
