package report

import (
	"strings"

	"redial/harness/history"
	"redial/harness/plan"
)

// connections draws how long each connection was open at both ends, and how long a half-open
// one stayed open at the server.
func (st *stage) connections() {
	for _, c := range st.Traffic.Connections {
		index := st.lane("client:" + c.Client)
		ended, noticed := orEnd(c.Ended), orEnd(c.Noticed)
		if index < 0 || c.Opened > st.scaled.To || max(ended, noticed) < st.scaled.From {
			continue
		}
		l := st.lanes[index]
		y := l.y + l.towards*19
		title := st.Language.Word("connection", c.Number, Visible(c.Client), clock(c.Opened))
		if c.Ended > 0 {
			title += " " + st.Language.Word("until", clock(c.Ended))
		}
		switch {
		case c.Noticed > 0:
			title += "; " + st.Language.Word("noticed", clock(c.Noticed))
		case c.Ended > 0:
			title += "; " + st.Language.Word("never noticed")
		}
		st.open("g", "data-kind", "connection", "data-lane", l.id, "data-client", c.Client, "data-connection", c.Number,
			"data-at", int64(c.Opened), "data-until", int64(ended), "data-noticed", int64(noticed))
		st.title(title)
		if x0, x1 := st.x(c.Opened), st.x(ended); x1 > x0 {
			st.element("rect", "class", "wire", "x", x0, "y", y-2.5, "width", x1-x0, "height", 5.0, "rx", 2.5)
		}
		if x0, x1 := st.x(max(ended, c.Opened)), st.x(noticed); noticed > ended && x1 > x0+1 {
			st.element("rect", "class", "wire-dead", "x", x0, "y", y-2.5, "width", x1-x0, "height", 5.0, "rx", 2.5)
		}
		st.body.WriteString("</g>\n")
	}
}

func orEnd(at plan.Duration) plan.Duration {
	if at == 0 {
		return 1 << 62
	}
	return at
}

// sessions draws how long the server stores the session of a disconnected client.
func (st *stage) sessions() {
	for _, s := range st.kept() {
		l := st.lanes[st.lane("client:"+s.Client)]
		x0, x1 := st.x(s.From), st.x(s.To)
		if s.From > st.scaled.To || s.To < st.scaled.From || x1 <= x0 {
			continue
		}
		title := st.Language.Word("session", Visible(s.Client), clock(s.To))
		if s.Recovered {
			title = st.Language.Word("session recovered", Visible(s.Client), clock(s.To))
		}
		y := l.y + l.towards*29
		st.open("g", "data-kind", "session", "data-lane", l.id, "data-client", s.Client, "data-at", int64(s.From), "data-until", int64(s.To))
		st.title(title)
		st.element("rect", "class", "session", "x", x0, "y", y-3, "width", x1-x0, "height", 6.0)
		st.body.WriteString("</g>\n")
		if !s.Recovered {
			text := st.Language.Word("session until", clock(s.To))
			st.write(max(x0, st.Left)+2, "session-label", text, y+4+l.towards*9.5)
		}
	}
}

// kept finds the stored sessions. A session is stored from when the server detects the end of
// a connection that neither side closed on purpose, until the session is recovered or expires
// or the server stops.
func (st *stage) kept() (list []Session) {
	if st.Keeps <= 0 {
		return nil
	}
	for i, e := range st.Events {
		byNobody := e.Kind == history.Disconnected && !strings.HasPrefix(e.Detail, "io ") || e.Kind == history.Closed
		if !byNobody || st.lane("client:"+e.Client) < 0 {
			continue
		}
		from, known := st.noticedAfter(e, i)
		if !known {
			continue
		}
		s := Session{Client: e.Client, From: from, To: from + plan.Duration(st.Keeps)}
		for _, later := range st.Events {
			switch {
			case later.At < from || later.At > s.To:
			case later.Kind == history.Connected && later.Client == e.Client && later.Recovered:
				s.To, s.Recovered = later.At, true
			case later.Kind == history.ServerStopped && st.serverOf(e.Client, from) == st.serverLane(later.Node):
				s.To, s.Recovered = later.At, false
			}
		}
		list = append(list, s)
	}
	return list
}

// noticedAfter is when the server detected the end of the connection that the event is about.
func (st *stage) noticedAfter(e history.Event, index int) (at plan.Duration, known bool) {
	if len(st.Traffic.Connections) > 0 {
		for _, c := range st.Traffic.Connections {
			if c.Client == e.Client && c.Opened <= e.At && st.isSocket(c) {
				at, known = c.Noticed, c.Noticed > 0
			}
		}
		return at, known
	}
	if e.Kind == history.Closed {
		return e.At, st.wasConnected(index)
	}
	for _, f := range st.Events[:index] {
		if f.Kind == history.FaultFired && f.Client == e.Client && f.FaultKind.Unnoticed() {
			return 0, false // without traffic, the history does not show when
		}
	}
	return e.At, true
}

func (st *stage) wasConnected(index int) (connected bool) {
	for _, e := range st.Events[:index] {
		if e.Client == st.Events[index].Client {
			switch e.Kind {
			case history.Connected:
				connected = true
			case history.Disconnected, history.Opened:
				connected = false
			}
		}
	}
	return connected
}

// isSocket distinguishes a connection that carried a socket from one that only loaded the
// page.
func (st *stage) isSocket(c history.Connection) bool {
	for _, f := range st.Traffic.Frames {
		if f.Client == c.Client && f.Connection == c.Number && Packet(f) == "connect" {
			return true
		}
	}
	return false
}
