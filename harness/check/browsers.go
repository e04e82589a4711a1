package check

import (
	"cmp"
	"slices"
)

// A browser is the set of pages that share one localStorage: a message may outlive its page
// there.
type browser struct {
	// connections are the connections of its pages, sorted; overlapping ones are joined.
	connections  connections
	closed       int   // the event by which all of its pages are gone, or never
	up           bool  // a page is open and connected at the end
	restBarriers []int // made when needed; see facts.restBarriers
}

func (f *facts) findBrowsers() {
	nameOf := f.browserNames()
	browsers := map[string]*browser{}
	firstView := map[string]int32{}
	for i, v := range f.views {
		b := browsers[nameOf(v.client)]
		if b == nil {
			b = &browser{closed: -1}
			browsers[nameOf(v.client)] = b
		}
		f.browsers[i] = b
		if v.isPage {
			b.connections = append(b.connections, v.proved()...)
			b.closed = max(b.closed, v.closed)
			b.up = b.up || f.isUp(v)
		}
		if _, known := firstView[v.client]; !known {
			firstView[v.client] = int32(i)
		}
		f.firstView[i] = firstView[v.client]
	}
	for _, b := range browsers {
		b.join()
	}
}

// browserNames names the browser of a client after the first client that uses it.
func (f *facts) browserNames() func(client string) string {
	of := map[string]string{}
	for _, c := range f.plan.Clients {
		of[c.Name] = c.Name
		if first, known := of[c.TabOf]; known {
			of[c.Name] = first
		}
	}
	return func(client string) string { return cmp.Or(of[client], client) }
}

// proved returns the view's connections, for questions about barriers only: each is divided at the
// barriers at which the view was blocked, so that neither part contains them.
func (v *view) proved() connections {
	var all connections
	for _, c := range v.connections {
		for _, blocked := range v.blockedAt {
			if c.contains(blocked) {
				all = append(all, connection{from: c.from, to: blocked})
				c.from = blocked
			}
		}
		all = append(all, c)
	}
	return all
}

// join merges overlapping connections.
func (b *browser) join() {
	slices.SortFunc(b.connections, func(a, b connection) int { return cmp.Compare(a.from, b.from) })
	joined := b.connections[:0]
	for _, c := range b.connections {
		if n := len(joined); n > 0 && c.from < joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, c.to)
			continue
		}
		joined = append(joined, c)
	}
	b.connections = joined
}
