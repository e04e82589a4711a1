package network

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"redial/harness/plan"
)

// The end that an armed Cut, Reset and HalfOpen puts to a connection, at the
// second frame after the handshake, each direction, before and after it.
func TestArmedFaultEndsTheConnection(t *testing.T) {
	for _, c := range []struct {
		kind           plan.FaultKind
		client, server error // what each end hears; nil: nothing at all
	}{
		{plan.Cut, io.EOF, io.EOF},
		{plan.Reset, errReset, errReset},
		{plan.HalfOpen, io.EOF, nil},
		{plan.Switch, io.EOF, nil},
		{plan.Outage, io.EOF, io.EOF},
	} {
		for _, direction := range []plan.Direction{plan.Up, plan.Down} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s after=%v", c.kind, direction, after), func(t *testing.T) {
					r := newRig(t)
					r.link.Arm(plan.Fault{ID: "f1", Kind: c.kind, At: plan.Frame{Direction: direction, Number: 3, After: after}})
					client, server := r.upgraded()
					from, to, frame := client, server, upFrame
					if direction == plan.Down {
						from, to, frame = server, client, downFrame
					}
					// All at once: the fault falls between two frames of one chunk.
					from.say(frame("one") + frame("two") + frame("three"))
					to.hear(frame("one"))
					if after {
						to.hear(frame("two"))
					}
					fired := r.awaitFired()
					want := "alice, connection 1, frame 3 " + string(direction)
					if fired.Fault.ID != "f1" || fired.Healed || !strings.HasPrefix(fired.Where, want) {
						t.Errorf("fired %q, want %q", fired.Where, want)
					}
					client.hearEnd(c.client)
					if c.server != nil {
						server.hearEnd(c.server)
					} else {
						server.hearNothing()
						server.say(downFrame("into the void"))
					}
					r.nothingFired()
				})
			}
		}
	}
}

func TestArmedSilenceHoldsItsFrame(t *testing.T) {
	for _, after := range []bool{false, true} {
		r := newRig(t)
		client, server := r.upgraded()
		r.link.Arm(plan.Fault{Kind: plan.Silence, For: plan.Duration(2 * never), At: plan.Frame{Match: "two", After: after}})
		client.say(upFrame("one") + upFrame("two") + upFrame("three"))
		server.hear(upFrame("one"))
		if after {
			server.hear(upFrame("two"))
		}
		began := r.awaitFired()
		server.hearNothing()
		if healed := r.awaitFired(); began.Healed || !healed.Healed {
			t.Errorf("reported %+v and %+v", began, healed)
		}
		if !after {
			server.hear(upFrame("two"))
		}
		server.hear(upFrame("three"))
		client.say(upFrame("four")) // and directly again
		server.hear(upFrame("four"))
	}
}

func TestArmedFaultPicksItsFrame(t *testing.T) {
	r := newRig(t)
	message := func(i int) string { return fmt.Sprintf(`42["chat message","%d"]`, i) }
	r.link.Arm(plan.Fault{ID: "third message", Kind: plan.Cut, At: plan.Frame{Match: `42["chat message"`, Number: 3}})
	r.link.Arm(plan.Fault{ID: "second connection", Kind: plan.Reset, At: plan.Frame{Direction: plan.Down, Connection: 2, Number: 2}})
	client, server := r.upgraded()
	client.say(upFrame("40") + upFrame(message(1)) + upFrame("2") + upFrame(message(2)))
	server.hear(upFrame("40") + upFrame(message(1)) + upFrame("2") + upFrame(message(2)))
	server.say(downFrame("a") + downFrame("b") + downFrame("c"))
	client.hear(downFrame("a") + downFrame("b") + downFrame("c"))
	r.nothingFired()
	// Byte by byte: nothing of the frame may pass before it is known.
	for _, b := range []byte(upFrame(message(3))) {
		client.say(string([]byte{b}))
	}
	server.hearEnd(io.EOF)
	if f := r.awaitFired(); f.Fault.ID != "third message" || f.Where != "alice, connection 1, frame 6 up" {
		t.Errorf("fired %s at %q", f.Fault.ID, f.Where)
	}
	client, server = r.upgraded()
	client.say(upFrame(message(4)))
	server.hear(upFrame(message(4)))
	server.say(downFrame("d"))
	client.hearEnd(errReset)
	if f := r.awaitFired(); f.Fault.ID != "second connection" || f.Where != "alice, connection 2, frame 2 down" {
		t.Errorf("fired %s at %q", f.Fault.ID, f.Where)
	}
	// Both are spent.
	client, server = r.upgraded()
	client.say(upFrame(message(5)) + upFrame(message(6)))
	server.hear(upFrame(message(5)) + upFrame(message(6)))
	r.nothingFired()
}

func TestFramesAreCountedAcrossConnections(t *testing.T) {
	r := newRig(t)
	r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Direction: plan.Down, Number: 3}})
	r.upgraded()
	r.upgraded()
	client, server := r.connect()
	client.say(upgradeRequest)
	server.hear(upgradeRequest)
	server.say(upgradeResponse)
	client.hearEnd(io.EOF)
	if f := r.awaitFired(); f.Where != "alice, connection 3, frame 1 down" {
		t.Errorf("fired at %q", f.Where)
	}
}

func TestUnmatchedFrameIsNotKept(t *testing.T) {
	r := newRig(t)
	r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Match: "42[", After: true}})
	r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Match: "43["}})
	client, server := r.upgraded()
	frame := upFrame("44[" + string(pattern(1000)))
	client.say(frame[:10]) // head, mask, and enough of the payload to tell
	server.hear(frame[:10])
	client.say(frame[10:])
	server.hear(frame[10:])
	client.say(frame[:7])
	client.CloseWrite() // an end in the middle of a frame that is still held
	server.hear(frame[:7])
	server.hearEnd(io.EOF)
}

func TestActHoldsItsFrame(t *testing.T) {
	for _, connectionGoes := range []bool{false, true} {
		for _, direction := range []plan.Direction{plan.Up, plan.Down} {
			t.Run(fmt.Sprintf("%s gone=%v", direction, connectionGoes), func(t *testing.T) {
				r := newRig(t)
				client, server := r.upgraded()
				from, to, frame := client, server, upFrame
				if direction == plan.Down {
					from, to, frame = server, client, downFrame
				}
				r.link.Arm(plan.Fault{Kind: plan.Crash, At: plan.Frame{Direction: direction, Match: "42"}})
				acted, done := make(chan plan.Fault, 10), make(chan bool)
				r.act = func(f plan.Fault) {
					acted <- f
					<-done
				}
				from.say(frame("1") + frame("42") + frame("3"))
				to.hear(frame("1"))
				if f := <-acted; f.Kind != plan.Crash {
					t.Errorf("acted %s", f.Kind)
				}
				to.hearNothing()
				if connectionGoes {
					server.SetLinger(0)
					server.Close()
				}
				close(done)
				switch {
				case !connectionGoes:
					to.hear(frame("42") + frame("3"))
				case to == client:
					client.SetReadDeadline(time.Now().Add(bound))
					if rest, err := io.ReadAll(client.in); len(rest) > 0 || os.IsTimeout(err) {
						t.Errorf("heard %q and %v after the crash", rest, err)
					}
				default:
					client.SetReadDeadline(time.Now().Add(bound))
					if _, err := io.ReadAll(client.in); os.IsTimeout(err) {
						t.Error("the client is not told of the crash")
					}
				}
				if len(acted) > 0 {
					t.Error("acted twice")
				}
			})
		}
	}
}

func TestFaultOnAnotherLink(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	alice := r.link
	var err error
	if r.link, err = r.proxy.Link("bob"); err != nil {
		t.Fatal(err)
	}
	bobClient, bobServer := r.upgraded()
	alice.Arm(plan.Fault{Kind: plan.Cut, Client: "bob", At: plan.Frame{Client: "alice", Match: "42"}})
	client.say(upFrame("42"))
	server.hear(upFrame("42")) // alice loses nothing
	bobClient.hearEnd(io.EOF)
	bobServer.hearEnd(io.EOF)
	if f := r.awaitFired(); f.Where != "bob, connection 1" {
		t.Errorf("fired at %q", f.Where)
	}
}
