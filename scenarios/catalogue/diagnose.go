package catalogue

import (
	"cmp"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// Diagnose names the scenario of the catalogue that a failed history is a case of, from
// what it says about the worst that is broken: what the connection of the page that was
// wronged did when it happened. A failure that fits none is named by its rule.
//
// It is a name for a person, who has a thousand failures before them that are a few: it
// decides nothing.
func Diagnose(events []history.Event, v check.Verdict) string {
	worst := -1
	for i, f := range v.Findings {
		if f.Must && (worst < 0 || severity[f.Anomaly] > severity[v.Findings[worst].Anomaly]) {
			worst = i
		}
	}
	if worst < 0 {
		return ""
	}
	c := &chart{events: events, finding: v.Findings[worst]}
	name := ""
	switch c.finding.Anomaly {
	case check.Lost:
		name = c.lost()
	case check.Duplicated:
		name = c.duplicated()
	case check.Reordered:
		name = c.reordered()
	}
	return cmp.Or(name, string(c.finding.Rule))
}

// severity orders what may be wrong at once: a message that is lost is worse than one
// that is there twice, and that worse than an order.
var severity = map[check.Anomaly]int{check.Lost: 3, check.Duplicated: 2, check.Reordered: 1}

// A chart is one finding on its history.
type chart struct {
	events  []history.Event
	finding check.Finding
}

// find returns the index of the first event from from on, or -1.
func (c *chart) find(from int, is func(history.Event) bool) int {
	for i := max(from, 0); i < len(c.events); i++ {
		if is(c.events[i]) {
			return i
		}
	}
	return -1
}

// last returns the index of the last event before before, or -1.
func (c *chart) last(before int, is func(history.Event) bool) int {
	for i := before - 1; i >= 0; i-- {
		if is(c.events[i]) {
			return i
		}
	}
	return -1
}

// mine tells whether the event is the wronged page's, and of the kind.
func (c *chart) mine(kind history.Kind) func(history.Event) bool {
	return func(e history.Event) bool { return e.Kind == kind && e.Client == c.finding.Client }
}

// lost looks at the break in which the message was lost.
func (c *chart) lost() string {
	text := c.finding.Message
	elsewhere := c.find(0, func(e history.Event) bool {
		return e.Message == text && (e.Kind == history.Shown || e.Kind == history.Acknowledged)
	})
	sent := c.find(0, func(e history.Event) bool { return e.Message == text && e.Kind == history.Sent })
	if elsewhere < 0 {
		return "write-on-dead-connection"
	}
	back := c.find(sent, c.mine(history.Connected))
	if back >= 0 && c.skipped(back) {
		return c.gap()
	}
	switch {
	case back < 0:
		if before := c.last(sent, c.mine(history.Connected)); before >= 0 && c.events[before].Recovered {
			return "zombie"
		}
		return ""
	case c.events[back].Recovered:
		return "restore-under-traffic"
	}
	return c.notRecovered(back)
}

// notRecovered says why a page that came back at this event was not recovered.
func (c *chart) notRecovered(back int) string {
	left := c.last(back, func(e history.Event) bool { return c.mine(history.Disconnected)(e) || c.mine(history.Closed)(e) })
	begin := c.last(left, c.mine(history.Connected))
	if left < 0 || begin < 0 {
		return ""
	}
	if c.events[left].Kind == history.Closed {
		return "refresh"
	}
	if stop := c.find(begin, func(e history.Event) bool { return e.Kind == history.ServerStopped }); stop >= 0 && stop < back {
		if c.events[stop].Detail == "killed" {
			return "server-killed"
		}
		return "server-restarted"
	}
	seen := c.find(0, func(e history.Event) bool {
		return c.mine(history.Shown)(e) && e.View == c.events[left].View
	})
	fault := c.last(back, func(e history.Event) bool {
		return e.Kind == history.FaultFired && e.Client == c.finding.Client
	})
	switch {
	case seen < 0 || seen > left:
		return "drop-before-any-event"
	case c.events[left].Detail == "io client disconnect":
		return "own-disconnect"
	case fault > begin && (c.events[fault].FaultKind == plan.Switch || c.events[fault].FaultKind == plan.HalfOpen || c.events[fault].FaultKind == plan.Silence):
		return "network-switch"
	}
	return "clean-drop"
}

// offset is the message's in the log, 0 where there is none.
func (c *chart) offset() int64 {
	row := c.find(0, func(e history.Event) bool { return e.Kind == history.Stored && e.Message == c.finding.Message })
	if row < 0 {
		return 0
	}
	return c.events[row].Offset
}

// skipped tells whether the page had shown a later row when it came back.
func (c *chart) skipped(back int) bool {
	offset := c.offset()
	return offset > 0 && c.last(back, func(e history.Event) bool {
		return c.mine(history.Shown)(e) && e.View == c.events[back].View && e.Offset > offset
	}) >= 0
}

// gap says how a page came to show a later row before this one.
func (c *chart) gap() string {
	offset := c.offset()
	later := c.find(0, func(e history.Event) bool { return c.mine(history.Shown)(e) && e.Offset > offset })
	connected := c.last(later, c.mine(history.Connected))
	known := c.find(0, func(e history.Event) bool {
		return e.Message == c.finding.Message && (e.Kind == history.Shown || e.Kind == history.Acknowledged)
	})
	if known < connected {
		return "cut-in-replay"
	}
	return "emit-order-inverted"
}

// duplicated looks at where the two showings came from.
func (c *chart) duplicated() string {
	shown := func(e history.Event) bool {
		return c.mine(history.Shown)(e) && e.View == c.finding.View && e.Message == c.finding.Message
	}
	first := c.find(0, shown)
	second := c.find(first+1, shown)
	if first < 0 || second < 0 {
		return ""
	}
	offset := c.events[first].Offset
	if offset == 0 {
		return "cut-before-connect-packet" // kept by the client from before the break
	}
	between := c.find(first, c.mine(history.Connected))
	if between < 0 || between > second {
		return "load-under-traffic" // live and in the replay of one connection
	}
	if back := c.find(first, func(e history.Event) bool {
		return c.mine(history.Shown)(e) && e.Offset < offset && e.Offset > 0
	}); back >= 0 && back < between {
		return "emit-order-inverted" // the offset went back
	}
	return "load-under-traffic"
}

// reordered tells a sender's order from that of the emits.
func (c *chart) reordered() string {
	if c.finding.Client == "" {
		return "burst"
	}
	return "emit-order-inverted"
}
