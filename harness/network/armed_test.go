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

// sendThree sends three frames in the direction at once, so that a fault at the second one falls
// between two frames of a chunk, and receives those that pass.
func sendThree(client, server *end, direction plan.Direction, after bool) {
	from, to, frame := client, server, upFrame
	if direction == plan.Down {
		from, to, frame = server, client, downFrame
	}
	from.send(frame("one") + frame("two") + frame("three"))
	to.receive(frame("one"))
	if after {
		to.receive(frame("two"))
	}
}

// The fault waits for the second frame after the handshake.
func TestArmedFaultEndsTheConnection(t *testing.T) {
	for _, c := range []struct {
		kind           plan.FaultKind
		client, server error // what each end receives; nil means nothing
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
					sendThree(client, server, direction, after)
					fired := r.awaitFired()
					want := "alice, connection 1, frame 3 " + string(direction)
					if fired.Fault.ID != "f1" || fired.Healed || !strings.HasPrefix(fired.Where, want) {
						t.Errorf("fired %q, want %q", fired.Where, want)
					}
					client.receiveEnd(c.client)
					if c.server != nil {
						server.receiveEnd(c.server)
					} else {
						server.receiveNothing()
						server.send(downFrame("discarded"))
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
		client.send(upFrame("one") + upFrame("two") + upFrame("three"))
		server.receive(upFrame("one"))
		if after {
			server.receive(upFrame("two"))
		}
		began := r.awaitFired()
		server.receiveNothing()
		if healed := r.awaitFired(); began.Healed || !healed.Healed {
			t.Errorf("reported %+v and %+v", began, healed)
		}
		if !after {
			server.receive(upFrame("two"))
		}
		server.receive(upFrame("three"))
		client.send(upFrame("four"))
		server.receive(upFrame("four"))
	}
}

func TestArmedFaultPicksItsFrame(t *testing.T) {
	r := newRig(t)
	message := func(i int) string { return fmt.Sprintf(`42["chat message","%d"]`, i) }
	r.link.Arm(plan.Fault{ID: "third message", Kind: plan.Cut, At: plan.Frame{Match: `42["chat message"`, Number: 3}})
	r.link.Arm(plan.Fault{ID: "second connection", Kind: plan.Reset, At: plan.Frame{Direction: plan.Down, Connection: 2, Number: 2}})
	client, server := r.upgraded()
	client.send(upFrame("40") + upFrame(message(1)) + upFrame("2") + upFrame(message(2)))
	server.receive(upFrame("40") + upFrame(message(1)) + upFrame("2") + upFrame(message(2)))
	server.send(downFrame("a") + downFrame("b") + downFrame("c"))
	client.receive(downFrame("a") + downFrame("b") + downFrame("c"))
	r.nothingFired()
	// Byte by byte: no part of the frame may pass before it is known whether it matches.
	for _, b := range []byte(upFrame(message(3))) {
		client.send(string([]byte{b}))
	}
	server.receiveEnd(io.EOF)
	if f := r.awaitFired(); f.Fault.ID != "third message" || f.Where != "alice, connection 1, frame 6 up" {
		t.Errorf("fired %s at %q", f.Fault.ID, f.Where)
	}
	client, server = r.upgraded()
	client.send(upFrame(message(4)))
	server.receive(upFrame(message(4)))
	server.send(downFrame("d"))
	client.receiveEnd(errReset)
	if f := r.awaitFired(); f.Fault.ID != "second connection" || f.Where != "alice, connection 2, frame 2 down" {
		t.Errorf("fired %s at %q", f.Fault.ID, f.Where)
	}
	// Both faults have fired and fire no more.
	client, server = r.upgraded()
	client.send(upFrame(message(5)) + upFrame(message(6)))
	server.receive(upFrame(message(5)) + upFrame(message(6)))
	r.nothingFired()
}

func TestFramesAreCountedAcrossConnections(t *testing.T) {
	r := newRig(t)
	r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Direction: plan.Down, Number: 3}})
	r.upgraded()
	r.upgraded()
	client, server := r.connect()
	client.send(upgradeRequest)
	server.receive(upgradeRequest)
	server.send(upgradeResponse)
	client.receiveEnd(io.EOF)
	if f := r.awaitFired(); f.Where != "alice, connection 3, frame 1 down" {
		t.Errorf("fired at %q", f.Where)
	}
}

func TestFrameThatDoesNotMatchIsNotHeld(t *testing.T) {
	r := newRig(t)
	r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Match: "42[", After: true}})
	r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Match: "43["}})
	client, server := r.upgraded()
	frame := upFrame("44[" + string(pattern(1000)))
	client.send(frame[:10]) // head, mask, and enough of the payload to tell
	server.receive(frame[:10])
	client.send(frame[10:])
	server.receive(frame[10:])
	client.send(frame[:7])
	client.CloseWrite() // in the middle of a held frame
	server.receive(frame[:7])
	server.receiveEnd(io.EOF)
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
				from.send(frame("1") + frame("42") + frame("3"))
				to.receive(frame("1"))
				if f := <-acted; f.Kind != plan.Crash {
					t.Errorf("acted %s", f.Kind)
				}
				to.receiveNothing()
				if connectionGoes {
					server.SetLinger(0)
					server.Close()
				}
				close(done)
				switch {
				case !connectionGoes:
					to.receive(frame("42") + frame("3"))
				case to == client:
					client.SetReadDeadline(time.Now().Add(bound))
					if rest, err := io.ReadAll(client.in); len(rest) > 0 || os.IsTimeout(err) {
						t.Errorf("received %q and %v after the crash", rest, err)
					}
				default:
					client.SetReadDeadline(time.Now().Add(bound))
					if _, err := io.ReadAll(client.in); os.IsTimeout(err) {
						t.Error("the client's connection is not closed after the crash")
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
	client.send(upFrame("42"))
	server.receive(upFrame("42"))
	bobClient.receiveEnd(io.EOF)
	bobServer.receiveEnd(io.EOF)
	if f := r.awaitFired(); f.Where != "bob, connection 1" {
		t.Errorf("fired at %q", f.Where)
	}
}
