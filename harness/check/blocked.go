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

func (c *Checker) allPaused() bool { return len(c.paused) > 0 && len(c.paused) >= len(c.nodes) }

// isCutOff reports whether a fault that passes no frame lasts on the client's link.
func (c *Checker) isCutOff(client string) bool {
	return slices.ContainsFunc(c.plan.AllFaults(), func(fault plan.Fault) bool {
		return fault.Client == client && fault.Kind.Blocks() && c.fired[fault.ID] && !c.healed[fault.ID]
	})
}
