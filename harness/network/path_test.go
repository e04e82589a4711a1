package network

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"redial/harness/plan"
)

// otherWay is a path that counts its switches, at an address of its own.
type otherWay struct {
	switches int
	err      error
}

func (w *otherWay) Address() string { return "127.0.0.2" }

func (w *otherWay) Next() string { return "the other way" }

func (w *otherWay) Switch() error { w.switches++; return w.err }

// over puts the link of a client over a path in the place of the rig's.
func (r *rig) over(w *otherWay) {
	r.t.Helper()
	if !r.proxy.addresses {
		r.t.Skip("this system has only 127.0.0.1")
	}
	var err error
	if r.link, err = r.proxy.LinkOver("carol", w); err != nil {
		r.t.Fatal(err)
	}
}

// A switch of a real network happens at its frame, and leaves both ends as they are: what
// tells the client is the network.
func TestSwitchOverAPathTellsNoEnd(t *testing.T) {
	for _, direction := range []plan.Direction{plan.Up, plan.Down} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s after=%v", direction, after), func(t *testing.T) {
				r, way := newRig(t), &otherWay{}
				r.over(way)
				if address := r.link.Address(); !strings.HasPrefix(address, "127.0.0.2:") {
					t.Errorf("the link is at %s", address)
				}
				r.link.Arm(plan.Fault{ID: "f1", Kind: plan.Switch, At: plan.Frame{Direction: direction, Number: 3, After: after}})
				client, server := r.upgraded()
				from, to, frame := client, server, upFrame
				if direction == plan.Down {
					from, to, frame = server, client, downFrame
				}
				from.say(frame("one") + frame("two") + frame("three"))
				to.hear(frame("one"))
				if after {
					to.hear(frame("two"))
				}
				if fired := r.awaitFired(); !strings.HasSuffix(fired.Where, ", from now on the other way") {
					t.Errorf("fired at %q", fired.Where)
				}
				client.hearNothing()
				server.hearNothing()
				client.say(upFrame("lost"))
				server.hearNothing()
				again, over := r.connect()
				again.say("still there")
				over.hear("still there")
				r.proxy.Close()
				if way.switches != 1 {
					t.Errorf("%d switches", way.switches)
				}
				client.hearEnd(errReset) // so that nothing is sent to nowhere
				server.hearEnd(io.EOF)
			})
		}
	}
}

func TestSwitchThatFailsIsSaid(t *testing.T) {
	r := newRig(t)
	r.over(&otherWay{err: errors.New("no way")})
	r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Switch})
	r.awaitFired()
	if where := r.awaitFired().Where; !strings.HasSuffix(where, "no way") {
		t.Errorf("fired at %q", where)
	}
}
