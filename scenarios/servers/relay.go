package servers

import (
	"context"

	"redial/harness/network"
	"redial/harness/plan"
)

// A relay is the connection from a server to one of its backends. As a part of a cluster it
// can be closed (Stop, Kill: connections are cut, and new ones refused) and go silent
// (Pause: connections remain open, but nothing passes). The traffic is not HTTP, so the
// network carries bytes and finds no frames.
type relay struct {
	proxy *network.Proxy
	link  network.Link
}

func newRelay(to string) (*relay, error) {
	proxy, err := network.NewProxy(to, network.Events{Fired: func(network.Fired) {}, Act: func(plan.Fault) {}})
	if err != nil {
		return nil, err
	}
	link, err := proxy.Link("relay")
	if err != nil {
		_ = proxy.Close()
		return nil, err
	}
	return &relay{proxy, link}, nil
}

func (r *relay) do(kind plan.FaultKind) error {
	return r.link.Break(plan.Fault{ID: string(kind), Kind: kind, Client: "relay"})
}

// Start accepts connections again after Stop or Kill.
func (r *relay) Start(context.Context) error { return r.do(plan.Heal) }

// Stop is the same as Kill, because a relay has nothing to shut down in order.
func (r *relay) Stop(context.Context) error { return r.Kill() }

// Kill cuts every connection and refuses new ones.
func (r *relay) Kill() error { return r.do(plan.Outage) }

// Pause holds all traffic from now on.
func (r *relay) Pause() error { return r.do(plan.Silence) }

// Continue delivers the held traffic, late.
func (r *relay) Continue() error { return r.do(plan.Heal) }

func (r *relay) Close() error { return r.proxy.Close() }
