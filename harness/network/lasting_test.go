package network

import (
	"fmt"
	"io"
	"net"
	"strings"
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
		client.say(upFrame(fmt.Sprint("up ", i)))
		server.say(downFrame(fmt.Sprint("down ", i)))
	}
	client.CloseWrite()
	server.hearNothing()
	client.hearNothing()

	late, err := net.Dial("tcp", r.link.Address())
	if err != nil {
		t.Fatal(err)
	}
	newcomer := newEnd(t, late)
	newcomer.say("hello")
	newcomer.hearNothing()
	quitter, err := net.Dial("tcp", r.link.Address())
	if err != nil {
		t.Fatal(err)
	}
	held := r.link.(*tcpLink)
	r.await("three connections are held", func() bool { return len(held.openConnections()) == 3 })
	quitter.Close()

	r.mustBreak(plan.Fault{Kind: plan.Heal})
	server.hear(up)
	server.hearEnd(io.EOF)
	client.hear(down)
	newServer := r.server()
	newServer.hear("hello")
	newServer.say("welcome")
	newcomer.hear("welcome")
	if n := r.link.Connections(); n != 2 {
		t.Errorf("%d connections reached the server, want 2: one gave up in the silence", n)
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
	client.hearEnd(io.EOF)
	server.hearEnd(io.EOF)
	for range 3 {
		if _, err := net.Dial("tcp", r.link.Address()); err == nil || !strings.Contains(err.Error(), syscall.ECONNREFUSED.Error()) {
			t.Fatalf("dialling in an outage: %v, want a refusal", err)
		}
	}
	r.mustBreak(plan.Fault{Kind: plan.Heal})
	client, server = r.connect()
	client.say("x")
	server.hear("x")
	if err := r.link.Break(plan.Fault{Kind: plan.Heal}); err == nil {
		t.Error("a heal of nothing is no error")
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

func TestDelayAddsLatencyAndKeepsThroughput(t *testing.T) {
	const delay = 100 * time.Millisecond
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Delay, Delay: plan.Duration(delay)})
	start := time.Now()
	client.say(upFrame("ping"))
	server.hear(upFrame("ping"))
	oneWay := time.Since(start)
	server.say(downFrame("pong"))
	client.hear(downFrame("pong"))
	if both := time.Since(start); oneWay < delay || both < 2*delay {
		t.Errorf("%v there and %v there and back, want at least %v and %v", oneWay, both, delay, 2*delay)
	}
	// A hundred frames one after the other are not a hundred delays.
	start = time.Now()
	var all string
	for i := range 100 {
		client.say(upFrame(fmt.Sprint(i)))
		all += upFrame(fmt.Sprint(i))
	}
	server.hear(all)
	if took := time.Since(start); took < delay || took > 50*delay {
		t.Errorf("100 frames took %v, want about %v", took, delay)
	}
	r.mustBreak(plan.Fault{Kind: plan.Heal})
	client.say(upFrame("fast"))
	server.hear(upFrame("fast"))
}

func TestLimit(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Limit, BytesPerSecond: 100_000})
	text := upFrame(string(pattern(20_000)))
	start := time.Now()
	client.saying(text)
	server.hear(text)
	if took := time.Since(start); took < 190*time.Millisecond {
		t.Errorf("20 kB at 100 kB/s took %v, want 200ms", took)
	}
	r.mustBreak(plan.Fault{Kind: plan.Limit, BytesPerSecond: 1}) // replaces it
	client.saying(text)
	server.hear(text[:1])
	r.mustBreak(plan.Fault{Kind: plan.Heal})
	server.hear(text[1:])
}
