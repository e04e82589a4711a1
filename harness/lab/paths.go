//go:build !js

package lab

import (
	"fmt"
	"slices"

	"redial/harness/network"
	"redial/harness/network/paths"
	"redial/harness/plan"
	"redial/harness/target"
)

// networks are the network namespaces of a run, by client.
type networks map[string]*paths.Namespace

// realNetworks makes a namespace for each client that the plan has switch networks.
func realNetworks(p plan.Plan, config Config) (networks, error) {
	all := networks{}
	switches := func(client string) bool {
		return slices.ContainsFunc(p.AllFaults(), func(f plan.Fault) bool { return f.Kind == plan.Switch && f.Client == client })
	}
	for _, c := range p.Clients {
		switch {
		case c.TabOf != "" && (switches(c.Name) || switches(c.TabOf)):
			return all, fmt.Errorf("%w: the tabs of one browser have one network, and only one of them is to switch", target.ErrUnsupported)
		case !switches(c.Name):
			continue
		case c.Kind == plan.Wire || config.NewPage == nil:
			return all, fmt.Errorf("%w: %s has no process of its own that could be in a network of its own", target.ErrUnsupported, c.Name)
		}
		made, err := paths.New()
		if err != nil {
			return all, fmt.Errorf("%w: %w", target.ErrUnsupported, err)
		}
		all[c.Name] = made
	}
	return all, nil
}

// linkOf returns links through the proxy, over the client's own paths if it has some.
func (n networks) linkOf(proxy *network.Proxy) func(name string) (network.Link, error) {
	return func(name string) (network.Link, error) {
		if made := n[name]; made != nil {
			return proxy.LinkOver(name, made)
		}
		return proxy.Link(name)
	}
}

// within returns the command that runs a client in its namespace, if it has one.
func (n networks) within(name string) []string {
	if made := n[name]; made != nil {
		return made.Command()
	}
	return nil
}

func (n networks) close() {
	for _, made := range n {
		_ = made.Close() // the guard or the next process removes what is left
	}
}
