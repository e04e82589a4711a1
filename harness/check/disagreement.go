package check

import (
	"slices"

	"redial/harness/contract"
)

// An edge joins two messages of which some view shows the first directly before the second.
type edge struct{ from, to int32 } // positions in facts.reference

// blameDisagreement blames views that contradict each other where there is no log.
//
// Each view is a chain of messages. If the union of the chains has no cycle, one order exists
// of which every view is a part. Otherwise the messages on a cycle (a strongly connected
// component) have contradictory orders. The order in which each message was first shown is
// then the reference, and a view is blamed for each message that it shows after a later one of
// the same component. At least one view is blamed, because chains that follow the reference
// cannot close a cycle.
//
// A message for which the rule order blames a view is left out of that view's chain.
func blameDisagreement(f *facts, t *counter) {
	components := f.contradictoryComponents()
	if components == nil {
		return
	}
	orders := newOrdering(len(f.reference))
	for _, v := range f.views {
		orders.reset()
		for id, later := range f.shown(v) {
			if later >= 0 {
				continue
			}
			position := f.position[id]
			if after := orders.take(int(components[position]), id, int(position)); after >= 0 {
				t.blame(contract.Agreement, Reordered, func() Finding {
					return f.misplaced(v, id, after, f.shownAt(v, id), f.seenBefore(id, after))
				})
			}
		}
	}
}

// contradictoryComponents returns, by position in the reference, the component of each
// message; nil if there is no cycle. A message that is on none is alone in its component.
func (f *facts) contradictoryComponents() []int32 {
	follows := make([]bool, len(f.reference)) // some view shows the next message after this one
	var jumps []edge
	for _, v := range f.views {
		previous := int32(-1)
		for id, later := range f.shown(v) {
			if later >= 0 {
				continue
			}
			position := f.position[id]
			switch {
			case previous < 0:
			case position == previous+1:
				follows[previous] = true
			default:
				jumps = append(jumps, edge{previous, position})
			}
			previous = position
		}
	}
	// Every cycle has a jump back. The search for one needs memory for each message.
	if !slices.ContainsFunc(jumps, func(j edge) bool { return j.to < j.from }) {
		return nil
	}
	slices.SortFunc(jumps, func(a, b edge) int { return int(a.from) - int(b.from) })
	return cycles(follows, jumps)
}

// cycles finds the strongly connected components (Tarjan's algorithm, with an explicit stack
// so that a long history cannot overflow the goroutine's), or nil if each is a single node.
// The edges are those from i to i+1 where follows[i] holds, and the jumps, sorted by from.
func cycles(follows []bool, jumps []edge) []int32 {
	n := len(follows)
	c := components{
		follows: follows, jumps: jumps,
		firstJump: make([]int, n+1),
		index:     make([]int32, n),
		low:       make([]int32, n),
		component: make([]int32, n),
	}
	for _, j := range jumps {
		c.firstJump[j.from+1]++
	}
	for i := range n {
		c.firstJump[i+1] += c.firstJump[i]
	}
	for i := range n {
		if c.index[i] == 0 {
			c.visit(int32(i))
		}
	}
	if int(c.found) == n {
		return nil
	}
	return c.component
}

type components struct {
	follows    []bool
	jumps      []edge
	firstJump  []int   // by node: where its jumps begin
	index, low []int32 // from 1, 0 for unvisited; low becomes done with the component
	component  []int32
	open       []int32 // visited nodes without a component
	path       []step
	counter    int32
	found      int32
}

// A step is a node on the path and the number of its edges that were followed.
type step struct {
	node     int32
	followed int
}

const done = int32(1<<31 - 1)

func (c *components) visit(root int32) {
	c.enter(root)
	for len(c.path) > 0 {
		top := &c.path[len(c.path)-1]
		if to, ok := c.edge(top.node, top.followed); ok {
			top.followed++
			if c.index[to] == 0 {
				c.enter(to)
			} else if c.low[to] != done {
				c.low[top.node] = min(c.low[top.node], c.index[to])
			}
			continue
		}
		node := top.node
		c.path = c.path[:len(c.path)-1]
		if len(c.path) > 0 {
			parent := c.path[len(c.path)-1].node
			c.low[parent] = min(c.low[parent], c.low[node])
		}
		if c.low[node] == c.index[node] {
			c.finish(node)
		}
	}
}

func (c *components) enter(node int32) {
	c.counter++
	c.index[node], c.low[node] = c.counter, c.counter
	c.open = append(c.open, node)
	c.path = append(c.path, step{node: node})
}

// edge returns the n-th node that follows the given one.
func (c *components) edge(node int32, n int) (int32, bool) {
	if c.follows[node] {
		if n == 0 {
			return node + 1, true
		}
		n--
	}
	if i := c.firstJump[node] + n; i < c.firstJump[node+1] {
		return c.jumps[i].to, true
	}
	return 0, false
}

// finish closes the component whose first visited node is the given one.
func (c *components) finish(node int32) {
	size := 1
	for c.open[len(c.open)-size] != node {
		size++
	}
	members := c.open[len(c.open)-size:]
	for _, m := range members {
		c.low[m], c.component[m] = done, c.found
	}
	c.found++
	c.open = c.open[:len(c.open)-size]
}
