package check

import (
	"slices"

	"redial/harness/plan"
)

// barrier records a barrier. It proves that the connections of all views that are not blocked
// are still up.
func (c *Checker) barrier(event int) {
	c.barriers = append(c.barriers, event)
	for _, v := range c.views {
		switch {
		case v.doubt.event == 0:
		case !c.isBlocked(v):
			v.doubt = moment{}
		case c.ended != never:
			v.connections[len(v.connections)-1].proved, v.unproved = v.doubt.event, true
		default:
			v.blockedAt = append(v.blockedAt, event)
		}
	}
}

// isBlocked reports whether nothing passes between the view and the server now.
func (c *Checker) isBlocked(v *view) bool {
	return v.suspended || c.allPaused() || c.isCutOff(v.client)
}

// A serverState is what a server does.
type serverState int

const (
	serving serverState = iota + 1
	stopped
	paused
	service // it is none of the application's servers, but one that these use
)

// server notes what a server does now. The history has each server as started before anything
// else, so a name that begins otherwise is that of a service such as Redis.
func (c *Checker) server(name string, state serverState) {
	switch known := c.servers[name]; {
	case known == service:
		return
	case len(c.servers) == 0:
		c.first = name
	case known == 0 && state != serving:
		state = service
	}
	c.servers[name] = state
}

// allPaused reports whether no server answers, and one is paused.
func (c *Checker) allPaused() bool {
	onePaused := false
	for _, state := range c.servers {
		if state == serving {
			return false
		}
		onePaused = onePaused || state == paused
	}
	return onePaused
}

// isCutOff reports whether a fault that passes no frame lasts on the client's link.
func (c *Checker) isCutOff(client string) bool {
	return slices.ContainsFunc(c.plan.AllFaults(), func(fault plan.Fault) bool {
		return fault.Client == client && fault.Kind.Blocks() && c.fired[fault.ID] && !c.healed[fault.ID]
	})
}
