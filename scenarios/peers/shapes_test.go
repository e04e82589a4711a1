//go:build !race

package peers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"redial/harness/contract"
	"redial/harness/protocol"
	"redial/scenarios/config"
)

// shapes are the applications to which clients send messages. The ticker has its own test.
var shapes = []string{
	"node/chat", "node/private", "node/msgpack", "node/balanced", "node/react", "node/right",
	"node/tutorial/step6", "node/tutorial/step7", "node/tutorial/step8", "node/tutorial/step9",
	"python/chat-asyncio",
}

// markup is a message that must remain text, although it looks like HTML and SQL.
const markup = `<b onclick="x">one</b> & '; DROP TABLE messages`

// TestShapesAreDescribed reads every redial.yaml, including variants that no other test
// starts.
func TestShapesAreDescribed(t *testing.T) {
	var found int
	for _, pattern := range []string{"*/*/redial.yaml", "*/*/*/redial.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found += len(files)
		for _, name := range files {
			file, err := config.Read(name)
			if err != nil {
				t.Error(err)
			} else if _, err := file.Server(""); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if found < len(shapes) {
		t.Errorf("only %d files were found", found)
	}
}

// TestShapesKeepTheirPromiseOverCutAndRestart connects the official client to every
// application as its redial.yaml describes. A message must arrive once; after a cut of the
// connection and a crash of the server, clients must receive what the application's level
// promises, and no more.
func TestShapesKeepTheirPromiseOverCutAndRestart(t *testing.T) {
	for _, folder := range shapes {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			a := startApplication(t, folder)
			d := startDriver(t)
			keeps := a.file.Level.AtLeast(contract.ServerDelivery)
			var shown []string
			stored := func(text string) { // while neither alice nor bob is connected
				t.Helper()
				if keeps {
					a.store(d, text)
					shown = append(shown, text)
				}
			}
			stored("the first one")
			alice, bob := a.open(d, "alice", "bob", 0), a.open(d, "bob", "alice", a.nodes()-1)
			if keeps {
				alice.shows(shown...)
				bob.shows(shown...)
			}
			sends := func(text string) {
				t.Helper()
				alice.send(text)
				shown = append(shown, text)
			}
			sends(markup)
			bob.shows(shown...)
			if !a.protocol.NoEcho {
				alice.shows(shown...)
			}
			defer func() {
				if own := alice.messages(alice.everything()); a.protocol.NoEcho && len(own) > 0 {
					t.Errorf("alice was sent her own messages: %v", own)
				}
			}()

			if level := a.file.Level; level.AtLeast(contract.Recovery) {
				bob.cut()
				if a.protocol.NoEcho {
					// Without an echo, only the server's notice shows that it has detected the cut. A
					// client that reconnects earlier has no session to recover.
					alice.until("the server's notice of the cut", func(seen []happening) bool {
						return slices.ContainsFunc(seen, func(h happening) bool { return h.Client == alice.id && h.Event == "on user left" })
					})
				}
				sends("bob is offline")
				if !a.protocol.NoEcho {
					alice.shows(shown...) // its own message has been sent by then
				}
				if recovered := bob.comesBack(); recovered != (level == contract.Recovery || strings.HasPrefix(folder, "node/tutorial/") && folder != "node/tutorial/step9") {
					t.Errorf("bob's session is recovered: %v", recovered)
				}
				bob.shows(shown...)
				sends("bob is back")
				bob.shows(shown...)
			}

			a.kill()
			alice.disconnected()
			bob.disconnected()
			a.start()
			stored("after the crash, before they are back")
			alice.comesBack()
			bob.comesBack()
			fresh := a.open(d, "bob", "alice", 0)
			if keeps {
				for _, c := range []*shapeClient{alice, bob, fresh} {
					c.shows(shown...)
				}
			}
			sends("after the crash")
			bob.shows(shown...)
			if keeps {
				fresh.shows(shown...)
			} else {
				fresh.shows("after the crash")
			}
			if t.Failed() {
				return
			}
			a.ends()
		})
	}
}

// TestTickerCountsOnOverCut also shows the difference between the variants: after a restart
// one begins at 1 again, and the other one continues.
func TestTickerCountsOnOverCut(t *testing.T) {
	for _, folder := range []string{"node/ticker", "node/ticker/replay"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			a := startApplication(t, folder, "EVERY=20")
			d := startDriver(t)
			bob, first := a.recovered(d)
			bob.ticks(10)
			a.kill()
			bob.disconnected()
			before := bob.ticks(10)
			inARow(t, first, before)
			a.env = append(a.env, "EVERY=500") // slow enough that it cannot reach its earlier number
			a.start()
			bob.comesBack()
			all := bob.ticks(len(before) + 1)
			if folder == "node/ticker" {
				if all[len(before)] >= len(before) {
					t.Errorf("without --replay the ticks begin again, but go on with %v", all[len(before)])
				}
			} else {
				inARow(t, first, all)
				inARow(t, 1, a.open(d, "carol", "", 0).ticks(len(all)))
			}
			a.ends()
		})
	}
}

// recovered returns a client whose session was recovered after a cut, and its first tick. A
// client that reconnects before the server has detected the cut finds no session, so this
// may need several attempts.
func (a *application) recovered(d *driver) (bob *shapeClient, first int) {
	a.t.Helper()
	for attempt := range 5 {
		bob = a.open(d, fmt.Sprint("bob ", attempt), "", 0)
		first = bob.ticks(3)[0]
		bob.cut()
		if bob.comesBack() {
			return bob, first
		}
	}
	a.t.Fatal("no session was recovered in five attempts")
	return nil, 0
}

func inARow(t *testing.T, first int, ticks []int) {
	t.Helper()
	for i, n := range ticks {
		if n != first+i {
			t.Fatalf("the ticks are not those from %d on: %v", first, ticks)
		}
	}
}

// ticks waits for at least count ticks, and returns the numbers of all.
func (c *shapeClient) ticks(count int) (numbers []int) {
	c.t.Helper()
	c.until(fmt.Sprint(count, " ticks"), func(seen []happening) bool {
		numbers = nil
		for _, m := range c.messages(seen) {
			n, _ := m.Text.(float64)
			numbers = append(numbers, int(n))
		}
		return len(numbers) >= count
	})
	return numbers
}

func TestPrivateKeepsSessionWhileTokenLives(t *testing.T) {
	t.Parallel()
	a := startApplication(t, "node/private")
	bob := a.open(startDriver(t), "bob", "alice", 0)
	session := bob.values["sessionID"]
	bob.cut()
	bob.comesBack()
	if bob.values["sessionID"] != session {
		t.Error("the session was replaced in its lifetime")
	}
}

func TestPrivateRefusesExpiredToken(t *testing.T) {
	t.Parallel()
	a := startApplication(t, "node/private", "TOKEN_LIFETIME=1") // in milliseconds
	bob := a.open(startDriver(t), "bob", "alice", 0)
	session := bob.values["sessionID"]
	bob.cut()
	time.Sleep(10 * time.Millisecond) // the test is about the token's lifetime
	bob.connects()
	if args := bob.await("connect_error"); args[0] != "token expired" {
		t.Errorf("the server refuses with %v", args)
	}
	delete(bob.values, "sessionID")
	bob.comesBack() // with the name instead of the token
	if bob.values["sessionID"] == session {
		t.Error("the old session is in use after a new login")
	}
}

// TestPrivateShowsNothingToOthers checks that a third user receives nothing.
func TestPrivateShowsNothingToOthers(t *testing.T) {
	t.Parallel()
	a := startApplication(t, "node/private")
	d := startDriver(t)
	alice, bob, carol := a.open(d, "alice", "bob", 0), a.open(d, "bob", "alice", 0), a.open(d, "carol", "carol", 0)
	alice.send("for bob")
	bob.shows("for bob")
	carol.send("a note to herself")
	carol.shows("a note to herself")
}

// TestNodesNeedStickySessions uses polling: without sticky sessions, the second request
// reaches the other node.
func TestNodesNeedStickySessions(t *testing.T) {
	for folder, want := range map[string]string{"node/balanced": "ok", "node/balanced/no-sticky": "Session ID unknown"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			a := startApplication(t, folder)
			polling := a.url(0) + "/socket.io/?EIO=4&transport=polling"
			for range 4 {
				var open struct{ Sid string }
				if err := json.Unmarshal([]byte(strings.TrimPrefix(poll(t, polling, ""), "0")), &open); err != nil || open.Sid == "" {
					t.Fatalf("no handshake: %v", err)
				}
				if answer := poll(t, polling+"&sid="+open.Sid, "40"); !strings.Contains(answer, want) {
					t.Errorf("the second request is answered with %q, want %q", answer, want)
				}
			}
			// Both nodes must be in use, or the test above would prove nothing.
			d := startDriver(t)
			alice, bob := a.open(d, "alice", "bob", 0), a.open(d, "bob", "alice", 0)
			if one, two := alice.await("on node")[0], bob.await("on node")[0]; one == two {
				t.Errorf("both clients are on node %v", one)
			}
			a.ends()
		})
	}
}

// poll sends one request on a new connection: a GET if there is no body.
func poll(t *testing.T, url, body string) string {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// TestPublishedStepsReorderBurst sends a burst from one client. The published code inserts
// the rows in parallel; the correct server keeps the order.
func TestPublishedStepsReorderBurst(t *testing.T) {
	for folder, ordered := range map[string]bool{"node/tutorial/step7": false, "node/right": true, "node/msgpack": true} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			a := startApplication(t, folder)
			d := startDriver(t)
			alice, bob := a.open(d, "alice", "bob", 0), a.open(d, "bob", "alice", 0)
			var sent []string
			for i := range 200 {
				sent = append(sent, fmt.Sprint("message ", i))
				alice.emit([]any{contract.ChatEvent, sent[i]}, false)
			}
			var received []string
			bob.until("the burst", func(seen []happening) bool {
				received = nil
				for _, m := range bob.messages(seen) {
					received = append(received, m.Text.(string))
				}
				return len(received) >= len(sent)
			})
			if slices.Equal(received, sent) != ordered {
				t.Errorf("in the order sent: %v, want %v", !ordered, ordered)
			}
		})
	}
}

// TestPublishedStepsLoseSecondMessageOfOneKey sends the messages of two pages that send
// while offline: both have the key undefined-0. The second message is acknowledged but not
// stored.
func TestPublishedStepsLoseSecondMessageOfOneKey(t *testing.T) {
	for _, folder := range []string{"node/tutorial/step8", "node/tutorial/step9"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			a := startApplication(t, folder)
			d := startDriver(t)
			a.store(d, "the first one")
			alice, bob := a.open(d, "alice", "bob", 0), a.open(d, "bob", "alice", a.nodes()-1)
			alice.shows("the first one")
			bob.shows("the first one")
			alice.emit([]any{contract.ChatEvent, "alice's", "undefined-0"}, true)
			bob.emit([]any{contract.ChatEvent, "bob's", "undefined-0"}, true)
			alice.send("the end")
			// The whole list cannot be compared: during a replay the published steps send alice's
			// message a second time.
			bob.until("the end", func(seen []happening) bool {
				return slices.ContainsFunc(bob.messages(seen), func(m protocol.Message) bool { return m.Text == "the end" })
			})
			a.open(d, "carol", "bob", 0).shows("the first one", "alice's", "the end")
		})
	}
}
