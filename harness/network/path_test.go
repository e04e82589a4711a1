package network

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"redial/harness/plan"
)

// countedPath is a path that counts its switches.
type countedPath struct {
	switches int
	err      error
}

func (w *countedPath) Address() string { return "127.0.0.2" }

func (w *countedPath) Next() string { return "the other way" }

func (w *countedPath) Switch() error { w.switches++; return w.err }

// linkOver replaces the rig's link with one over a path.
func (r *rig) linkOver(w *countedPath) {
	r.t.Helper()
	if !r.proxy.addresses {
		r.t.Skip("this system has only 127.0.0.1")
	}
	var err error
	if r.link, err = r.proxy.LinkOver("carol", w); err != nil {
		r.t.Fatal(err)
	}
}

// With a real path, a Switch closes neither end: the client notices it by its network only.
func TestSwitchOverAPathClosesNoEnd(t *testing.T) {
	for _, direction := range []plan.Direction{plan.Up, plan.Down} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s after=%v", direction, after), func(t *testing.T) {
				r, way := newRig(t), &countedPath{}
				r.linkOver(way)
				if address := r.link.Address(); !strings.HasPrefix(address, "127.0.0.2:") {
					t.Errorf("the link is at %s", address)
				}
				r.link.Arm(plan.Fault{ID: "f1", Kind: plan.Switch, At: plan.Frame{Direction: direction, Number: 3, After: after}})
				client, server := r.upgraded()
				sendThree(client, server, direction, after)
				if fired := r.awaitFired(); !strings.HasSuffix(fired.Where, ", from now on the other way") {
					t.Errorf("fired at %q", fired.Where)
				}
				client.receiveNothing()
				server.receiveNothing()
				client.send(upFrame("lost"))
				server.receiveNothing()
				newClient, newServer := r.connect()
				newClient.send("new connection")
				newServer.receive("new connection")
				r.proxy.Close()
				if way.switches != 1 {
					t.Errorf("%d switches", way.switches)
				}
				client.receiveEnd(errReset) // or the system would retransmit over the old path
				server.receiveEnd(io.EOF)
			})
		}
	}
}

func TestFailedSwitchIsReported(t *testing.T) {
	r, noWay := newRig(t), errors.New("no way")
	r.linkOver(&countedPath{err: noWay})
	r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Switch})
	if f := r.awaitFired(); f.Failed != nil {
		t.Errorf("it fired as %+v", f)
	}
	if f := r.awaitFired(); !errors.Is(f.Failed, noWay) {
		t.Errorf("it failed as %+v", f)
	}
}
