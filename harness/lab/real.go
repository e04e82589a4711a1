//go:build !js

package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/target"
)

// realLab plays on real processes and real TCP, through a proxy.
type realLab struct{}

func (realLab) String() string { return "real" }

func (realLab) Play(ctx context.Context, server Server, config Config, p plan.Plan) (run Run) {
	began := time.Now()
	defer func() { run.Real = time.Since(began) }()
	if err := p.Validate(); err != nil {
		return Run{Err: err}
	}
	if server.Target == nil {
		return Run{Err: fmt.Errorf("%w: the real lab needs the server as a process or at an address", target.ErrUnsupported)}
	}
	under, err := server.Target(p.Tuning)
	if err != nil {
		return Run{Err: fmt.Errorf("%w: %w", ErrUnreachable, err)}
	}
	playing, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	l := newPlayer(playing, config.withBounds(DefaultBound), p, under)
	l.giveUp = giveUp
	traffic := newTraffic(l.config)
	run.Err = playReal(l, traffic, func() { run.Traffic = l.trafficOf(traffic) })
	if ctx.Err() == nil && playing.Err() != nil {
		run.Err = context.Cause(playing) // instead of an error that the cancellation caused
	}
	run.Events, run.Began = l.finish(), l.began
	run.Output = under.Output()
	run.Err = errors.Join(run.Err, under.Close())
	return run
}

// playReal calls over when the script is over, before the clients are closed, because closing
// them adds frames to the traffic.
func playReal(l *player, traffic *network.Traffic, over func()) error {
	if err := l.servers.start(); err != nil {
		return err
	}
	proxy, err := network.NewProxy(l.target.Address(), network.Events{Fired: l.faults.fired, Act: l.faults.act, Traffic: traffic})
	if err != nil {
		return fmt.Errorf("the proxy between clients and server: %w", err)
	}
	l.env = environment{link: proxy.Link, last: over}
	if l.config.RealNetwork {
		networks, err := realNetworks(l.plan, l.config)
		defer networks.close()
		if err != nil {
			proxy.Close()
			return err
		}
		l.env.link, l.env.within = networks.linkOf(proxy), networks.within
	}
	defer proxy.Close()
	return l.playWithClients()
}
