package network

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redial/harness/plan"
)

func TestSilenceHoldsAndDeliversInOrder(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Silence})
	var up, down string
	for i := range 200 {
		up += upFrame(fmt.Sprint("up ", i))
		down += downFrame(fmt.Sprint("down ", i))
		client.send(upFrame(fmt.Sprint("up ", i)))
		server.send(downFrame(fmt.Sprint("down ", i)))
	}
	client.CloseWrite()
	server.receiveNothing()
	client.receiveNothing()

	late, err := net.Dial("tcp", r.link.Address())
	if err != nil {
		t.Fatal(err)
	}
	newcomer := newEnd(t, late)
	newcomer.send("hello")
	newcomer.receiveNothing()
	quitter, err := net.Dial("tcp", r.link.Address())
	if err != nil {
		t.Fatal(err)
	}
	held := r.link.(*tcpLink)
	r.await("three connections are held", func() bool { return len(held.openConnections()) == 3 })
	quitter.Close()

	r.mustBreak(plan.Fault{Kind: plan.Heal})
	server.receive(up)
	server.receiveEnd(io.EOF)
	client.receive(down)
	newServer := r.server()
	newServer.receive("hello")
	newServer.send("welcome")
	newcomer.receive("welcome")
	if n := r.link.Connections(); n != 2 {
		t.Errorf("%d connections reached the server, want 2: one was closed during the silence", n)
	}
	kinds := []string{}
	for range 3 {
		f := r.awaitFired()
		kinds = append(kinds, fmt.Sprintf("%s %v", f.Fault.Kind, f.Healed))
	}
	if got := strings.Join(kinds, ", "); got != "silence false, heal false, silence true" {
		t.Errorf("reported %s", got)
	}
}

func TestOutageRefusesUntilItHeals(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Outage})
	client.receiveEnd(io.EOF)
	server.receiveEnd(io.EOF)
	for range 3 {
		if _, err := net.Dial("tcp", r.link.Address()); err == nil || !strings.Contains(err.Error(), syscall.ECONNREFUSED.Error()) {
			t.Fatalf("dialling in an outage: %v, want a refusal", err)
		}
	}
	r.mustBreak(plan.Fault{Kind: plan.Heal})
	client, server = r.connect()
	client.send("x")
	server.receive("x")
	if err := r.link.Break(plan.Fault{Kind: plan.Heal}); err == nil {
		t.Error("a heal without an active fault is no error")
	}
}

func TestOutageHealsByItself(t *testing.T) {
	r := newRig(t)
	r.mustBreak(plan.Fault{Kind: plan.Outage, For: plan.Duration(never)})
	r.awaitFired()
	if f := r.awaitFired(); !f.Healed {
		t.Errorf("reported %+v, want it healed", f)
	}
	r.await("the link accepts again", func() bool {
		c, err := net.Dial("tcp", r.link.Address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// The outage is over before the link that begins it stops listening.
func TestOutageThatEndsAtOnceLeavesTheLinkOpen(t *testing.T) {
	r, over := newRig(t), make(chan struct{})
	link := r.proxy.find("alice")
	var calls atomic.Int32
	set := link.listening
	link.listening = func() error {
		if calls.Add(1) == 1 {
			<-over
			return set()
		}
		defer close(over)
		return set()
	}
	r.mustBreak(plan.Fault{Kind: plan.Outage, For: plan.Duration(time.Millisecond)})
	r.connect()
}

// A kind of fault of a link that package plan lists has to be performed here.
func TestEveryKindBreaksALink(t *testing.T) {
	for _, kind := range plan.Links {
		t.Run(string(kind), func(t *testing.T) {
			r := newRig(t)
			client, _ := r.upgraded()
			if kind == plan.Heal {
				r.mustBreak(plan.Fault{Kind: plan.Silence})
				r.awaitFired()
			}
			r.mustBreak(plan.Fault{Kind: kind, Delay: 1, BytesPerSecond: 1 << 20, Idle: 1})
			if f := r.awaitFired(); f.Fault.Kind != kind {
				t.Errorf("%s fired", f.Fault.Kind)
			}
			if kind.EndsConnections() {
				client.SetReadDeadline(time.Now().Add(bound))
				if _, err := client.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
					t.Errorf("the client's connection: %v", err)
				}
			}
		})
	}
}
