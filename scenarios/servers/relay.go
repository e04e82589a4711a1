package servers

import (
	"context"

	"redial/harness/network"
	"redial/harness/plan"
)

// A relay is the way from one server to something that it stands on. As a part of a
// cluster it can be closed (Stop, Kill: connections are cut, and new ones refused) and
// go silent (Pause: they stay, and nothing passes). What passes is not HTTP, so that the
// network behind it carries bytes and finds no frames.
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

// Start lets connections in again, after Stop or Kill.
func (r *relay) Start(context.Context) error { return r.do(plan.Heal) }

// Stop and Kill are one.
func (r *relay) Stop(context.Context) error { return r.Kill() }

// Kill cuts every connection and takes no more.
func (r *relay) Kill() error { return r.do(plan.Outage) }

// Pause holds what comes from now on.
func (r *relay) Pause() error { return r.do(plan.Silence) }

// Continue lets it pass, late.
func (r *relay) Continue() error { return r.do(plan.Heal) }

// Close ends all of it.
func (r *relay) Close() error { return r.proxy.Close() }
