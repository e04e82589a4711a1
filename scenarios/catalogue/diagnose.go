package catalogue

import (
	"cmp"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// Diagnose returns the ID of the scenario that a failed history is a case of. It takes the
// worst finding and looks at the connection of the page that the finding is about. A failure
// that fits no scenario is named by its rule.
//
// The name only groups the failures of a sweep for a reader: no verdict depends on it.
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
	c := &diagnosis{events: events, finding: v.Findings[worst], isIt: history.Is(v.Findings[worst].Message)}
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

// severity orders the anomalies of one history: a lost message is worse than a duplicate, and
// a duplicate is worse than a wrong order.
var severity = map[check.Anomaly]int{check.Lost: 3, check.Duplicated: 2, check.Reordered: 1}

// A diagnosis is one finding and the history that it was made in.
type diagnosis struct {
	events  []history.Event
	finding check.Finding
	isIt    func(text string) bool // tells whether a text is the finding's message
}

// find returns the index of the first such event, starting at from, or -1.
func (c *diagnosis) find(from int, is func(history.Event) bool) int {
	for i := max(from, 0); i < len(c.events); i++ {
		if is(c.events[i]) {
			return i
		}
	}
	return -1
}

// last returns the index of the last event before before, or -1.
func (c *diagnosis) last(before int, is func(history.Event) bool) int {
	for i := before - 1; i >= 0; i-- {
		if is(c.events[i]) {
			return i
		}
	}
	return -1
}

// mine matches events of the kind of the page that the finding is about.
func (c *diagnosis) mine(kind history.Kind) func(history.Event) bool {
	return func(e history.Event) bool { return e.Kind == kind && e.Client == c.finding.Client }
}

// lost names the disconnection during which the message was lost.
func (c *diagnosis) lost() string {
	if c.find(0, func(e history.Event) bool { return c.mine(history.Removed)(e) && c.isIt(e.Message) }) >= 0 {
		return "" // it was not lost in a disconnection
	}
	elsewhere := c.find(0, func(e history.Event) bool {
		return c.isIt(e.Message) && (e.Kind == history.Shown || e.Kind == history.Acknowledged)
	})
	sent := c.find(0, func(e history.Event) bool { return c.isIt(e.Message) && e.Kind == history.Sent })
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

// notRecovered tells why a page that reconnected at this event was not recovered.
func (c *diagnosis) notRecovered(back int) string {
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
	case fault > begin && (c.events[fault].FaultKind.Unnoticed() || c.events[fault].FaultKind == plan.Silence):
		return "network-switch"
	}
	return "clean-drop"
}

// offset is that of the message in the log, or 0 if the log does not have it.
func (c *diagnosis) offset() int64 {
	row := c.find(0, func(e history.Event) bool {
		return e.Kind == history.Stored && c.isIt(e.Message)
	})
	if row < 0 {
		return 0
	}
	return c.events[row].Offset
}

// skipped tells whether the page had shown a later row before it reconnected.
func (c *diagnosis) skipped(back int) bool {
	offset := c.offset()
	return offset > 0 && c.last(back, func(e history.Event) bool {
		return c.mine(history.Shown)(e) && e.View == c.events[back].View && e.Offset > offset
	}) >= 0
}

// gap tells why a page showed a later row before this one.
func (c *diagnosis) gap() string {
	offset := c.offset()
	later := c.find(0, func(e history.Event) bool { return c.mine(history.Shown)(e) && e.Offset > offset })
	connected := c.last(later, c.mine(history.Connected))
	known := c.find(0, func(e history.Event) bool {
		return c.isIt(e.Message) && (e.Kind == history.Shown || e.Kind == history.Acknowledged)
	})
	if known < connected {
		return "cut-in-replay"
	}
	return "emit-order-inverted"
}

// duplicated tells where the two copies of the message came from.
func (c *diagnosis) duplicated() string {
	shown := func(e history.Event) bool {
		return c.mine(history.Shown)(e) && e.View == c.finding.View && c.isIt(e.Message)
	}
	first := c.find(0, shown)
	second := c.find(first+1, shown)
	if first < 0 || second < 0 {
		return ""
	}
	offset := c.events[first].Offset
	if offset == 0 {
		return "cut-before-connect-packet" // the client had buffered one copy before the cut
	}
	between := c.find(first, c.mine(history.Connected))
	if between < 0 || between > second {
		return "load-under-traffic" // one copy was live, and one in the replay of the same connection
	}
	if back := c.find(first, func(e history.Event) bool {
		return c.mine(history.Shown)(e) && e.Offset < offset && e.Offset > 0
	}); back >= 0 && back < between {
		return "emit-order-inverted" // the page's offset had decreased
	}
	return "load-under-traffic"
}

// reordered distinguishes the order of one sender from that of the server's emits.
func (c *diagnosis) reordered() string {
	if c.finding.Client == "" {
		return "burst"
	}
	return "emit-order-inverted"
}
