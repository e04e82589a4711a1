package check

import (
	"slices"

	"redial/harness/contract"
)

// An edge says that some view shows one message directly before another.
type edge struct{ from, to int32 } // positions in the story

// disagreement blames views for contradicting each other where there is no log.
//
// Each view is a chain of messages. If the chains, laid over each other, have no
// cycle, then all views can be read as parts of one story. Where they have one,
// the messages on it (a strongly connected component) are told in orders that do
// not fit; the first sight of each is then taken for the story, and a view that
// shows one of them after a later one of the same component is blamed for it. At
// least one is: chains that only ever go on in the order of first sight cannot
// close a cycle.
//
// What rule order blames on a view is left out of that view's chain.
func disagreement(f *facts, t *tally) {
	components := f.contradictions()
	if components == nil {
		return
	}
	orders := newOrdering(len(f.story))
	for _, v := range f.views {
		orders.reset()
		for id, later := range f.shown(v) {
			position := f.position[id]
			if later >= 0 || components[position] < 0 {
				continue
			}
			if after := orders.take(int(components[position]), id, int(position)); after >= 0 {
				t.blame(contract.Agreement, Reordered, func() Finding {
					return f.misplaced(v, id, after, f.shownAt(v, id), f.seenBefore(id, after))
				})
			}
		}
	}
}

// contradictions returns, by position in the story, the component of each message
// that is on a cycle, and -1 for the others; nil where there is no cycle at all.
func (f *facts) contradictions() []int32 {
	follows := make([]bool, len(f.story)) // some view goes on from here to the next
	var jumps []edge
	backward := false
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
				backward = backward || position < previous
			}
			previous = position
		}
	}
	if !backward {
		return nil
	}
	slices.SortFunc(jumps, func(a, b edge) int { return int(a.from) - int(b.from) })
	return cycles(follows, jumps)
}

// cycles finds the strongly connected components of more than one node (Tarjan's
// algorithm, with a stack of its own so that a long history cannot overflow the
// goroutine's). The edges are those from i to i+1 where follows[i] holds, and the
// jumps, sorted by from.
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
		c.component[i] = -1
	}
	for i := range n {
		if c.index[i] == 0 {
			c.visit(int32(i))
		}
	}
	if c.found == 0 {
		return nil
	}
	return c.component
}

type components struct {
	follows    []bool
	jumps      []edge
	firstJump  []int   // by node: where its jumps begin
	index, low []int32 // from 1, 0 for unvisited; low becomes done when finished
	component  []int32
	open       []int32 // visited nodes with no component yet
	path       []step
	counter    int32
	found      int32
}

// A step is a node on the path and how many of its edges were gone along.
type step struct {
	node int32
	gone int
}

const done = int32(1<<31 - 1)

func (c *components) visit(root int32) {
	c.enter(root)
	for len(c.path) > 0 {
		top := &c.path[len(c.path)-1]
		if to, ok := c.edge(top.node, top.gone); ok {
			top.gone++
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

// finish closes the component of which node was the first to be visited.
func (c *components) finish(node int32) {
	size := 1
	for c.open[len(c.open)-size] != node {
		size++
	}
	members := c.open[len(c.open)-size:]
	for _, m := range members {
		c.low[m] = done
		if size > 1 {
			c.component[m] = c.found
		}
	}
	if size > 1 {
		c.found++
	}
	c.open = c.open[:len(c.open)-size]
}
