package plan

import (
	"fmt"
	"time"
)

// longestSeam bounds Plan.Seams: a server whose every query takes longer is down.
const longestSeam = Duration(time.Second)

// longestTime bounds every time in a plan, and mostSaid a step's Count: what is beyond is
// a slip of the pen, and would keep a run from ending.
const (
	longestTime = Duration(24 * time.Hour)
	mostSaid    = 1_000_000
)

// FaultKind says what breaks.
type FaultKind string

const (
	// Cut ends the connection the polite way (FIN in both directions).
	Cut FaultKind = "cut"
	// Reset ends the connection with a TCP reset (RST) in both directions.
	Reset FaultKind = "reset"
	// HalfOpen ends it for the client only; the server keeps a connection that
	// nobody is at the other end of, and hears nothing until its ping times out.
	HalfOpen FaultKind = "half-open"
	// Switch is HalfOpen and, from then on, another source address: the phone
	// left the WiFi and came back on 4G.
	Switch FaultKind = "switch"
	// Silence lets nothing through in either direction while both ends stay
	// open. After For it heals, and what was held is delivered late, as TCP
	// does. With For zero it lasts until Heal.
	Silence FaultKind = "silence"
	// Heal ends a Silence, an Outage, a Delay, a Limit or an IdleClose.
	Heal FaultKind = "heal"
	// Outage cuts what is open and refuses new connections, for For or until Heal.
	Outage FaultKind = "outage"
	// Delay adds Delay to every frame's way.
	Delay FaultKind = "delay"
	// Limit lets BytesPerSecond through in each direction.
	Limit FaultKind = "limit"
	// IdleClose cuts each connection on which nothing has passed for Idle, as a proxy does
	// that closes idle connections. It fires each time that it cuts one.
	IdleClose FaultKind = "idle-close"

	// Crash kills the server at once and starts it again on the same data.
	Crash FaultKind = "crash"
	// Restart stops the server gracefully and starts it again.
	Restart FaultKind = "restart"
	// RefreshPage loads the client's page again.
	RefreshPage FaultKind = "refresh"
)

// Direction is the way a frame goes.
type Direction string

const (
	// Up is from the client to the server.
	Up Direction = "up"
	// Down is from the server to the client.
	Down Direction = "down"
)

// A Fault is one thing that breaks: what, on which link, and when.
type Fault struct {
	// ID names the fault in the history. Empty: the lab numbers it.
	ID   string    `json:"id,omitempty"`
	Kind FaultKind `json:"kind"`
	// Client is the one whose link (or page) breaks.
	Client string `json:"client,omitempty"`
	// At is the frame that the fault waits for. In a Break step it is ignored.
	At Frame `json:"at,omitzero"`

	// Node is the server of a cluster that a Crash or a Restart is about, as in Step.
	Node string `json:"node,omitempty"`
	// For is how long a Silence or an Outage lasts. Zero: until Heal.
	For Duration `json:"for,omitempty"`
	// Delay is what a Delay adds to each frame's way, in one direction.
	Delay Duration `json:"delay,omitempty"`
	// BytesPerSecond is what a Limit lets through in each direction.
	BytesPerSecond int `json:"bytesPerSecond,omitempty"`
	// Idle is how long a connection may be idle before an IdleClose cuts it.
	Idle Duration `json:"idle,omitempty"`
}

// A Frame is a place in the conversation on one link: the Number-th frame that
// goes in Direction and matches.
//
// What counts as a frame is what the network passes on as a unit: an HTTP
// request (up) or response (down), the WebSocket handshake included, and then
// every WebSocket frame. Counting begins at 1, anew for each connection when
// Connection is given, across all the client's connections when it is not.
type Frame struct {
	// Client is the one on whose link the frame passes. Empty: the fault's own.
	Client    string    `json:"client,omitempty"`
	Direction Direction `json:"direction,omitempty"`
	// Number counts matching frames from 1. Zero means 1.
	Number int `json:"number,omitempty"`
	// Connection is the link's n-th connection, from 1. Zero means any.
	Connection int `json:"connection,omitempty"`
	// Match is what the payload must begin with, for instance
	// `42["chat message"` for an event or `40` for a connect packet. Empty
	// matches every frame. (Engine.IO and Socket.IO protocol, revision 5.) Packets of
	// another namespace, or in MessagePack, match as if they were text in the default one.
	Match string `json:"match,omitempty"`
	// After lets the frame through first. Otherwise the frame is lost with the
	// connection, whatever direction it went.
	After bool `json:"after,omitempty"`
}

// Validate returns the first thing in the plan that makes no sense, as one line.
func (p Plan) Validate() error {
	known := map[string]bool{}
	for _, c := range p.Clients {
		switch {
		case c.Name == "":
			return fmt.Errorf("plan: a client has no name")
		case c.Name == Reader, c.Name == Stream:
			return fmt.Errorf("plan: the client name %q is kept for the lab", c.Name)
		case known[c.Name]:
			return fmt.Errorf("plan: two clients are called %q", c.Name)
		}
		switch c.Kind {
		case "", Page, Wire, Browser:
		default:
			return fmt.Errorf("plan: client %q has the unknown kind %q", c.Name, c.Kind)
		}
		if c.Retries && c.Kind != Wire {
			return fmt.Errorf("plan: client %q is to retry, which only a wire client can be told: a page does as its script says", c.Name)
		}
		for _, t := range c.Transports {
			if t != "websocket" && t != "polling" {
				return fmt.Errorf("plan: client %q asks for the transport %q; there are websocket and polling", c.Name, t)
			}
		}
		if c.TabOf != "" && !known[c.TabOf] {
			return fmt.Errorf("plan: client %q is a tab of %q, who is no client before it", c.Name, c.TabOf)
		}
		known[c.Name] = true
	}
	if p.Seams < 0 || p.Seams > longestSeam {
		return fmt.Errorf("plan: seams are pauses of up to %s, not of %s", time.Duration(longestSeam), time.Duration(p.Seams))
	}
	for _, d := range []Duration{p.Tuning.PingInterval, p.Tuning.PingTimeout, p.Tuning.MaxDisconnection} {
		if d < 0 || d > longestTime {
			return fmt.Errorf("plan: the tuning has a time of %s; there are 0 to %s", time.Duration(d), time.Duration(longestTime))
		}
	}
	chattering := map[string]bool{}
	for i, s := range p.Script {
		if err := s.validate(known); err != nil {
			return fmt.Errorf("plan: step %d: %w", i+1, err)
		}
		switch s.Do {
		case Chatter, Quiet:
			chattering[s.Client] = s.Do == Chatter
		case Settle:
			for _, c := range p.Clients {
				if chattering[c.Name] {
					return fmt.Errorf("plan: step %d: settle while %s chatters, so that nothing can come to rest: quiet comes first", i+1, name(c.Name))
				}
			}
		}
	}
	for i, f := range p.Faults {
		if err := f.validate(known); err != nil {
			return fmt.Errorf("plan: fault %d: %w", i+1, err)
		}
	}
	return nil
}

// Reader is the name under which the lab itself reads the log.
const Reader = "reader"

// Stream is the name that a server that emits messages by itself has as their sender.
const Stream = "stream"

func (s Step) validate(known map[string]bool) error {
	row, ok := s.Do.row()
	if !ok {
		return fmt.Errorf("unknown action %q", s.Do)
	}
	switch row.names {
	case aClient:
		if !known[s.Client] {
			return fmt.Errorf("%s by %q, who is no client of the plan", s.Do, s.Client)
		}
	case aClientOrEveryone:
		if s.Client != "" && !known[s.Client] {
			return fmt.Errorf("%s for %q, who is no client of the plan", s.Do, s.Client)
		}
	case aClientAndNode:
		if !known[s.Client] || s.Node == "" {
			return fmt.Errorf("%s needs a client of the plan and a node, and has %q and %q", s.Do, s.Client, s.Node)
		}
	case aFault:
		if s.Fault == nil {
			return fmt.Errorf("%s has no fault", s.Do)
		}
		return s.Fault.validate(known)
	}
	if s.Do == Wait && s.For <= 0 {
		return fmt.Errorf("wait needs a time to wait for")
	}
	if s.Every < 0 || s.For < 0 || max(s.Every, s.For) > longestTime || s.Count < 0 || s.Count > mostSaid {
		return fmt.Errorf("%s has a time or a count out of bounds: times are up to %s, counts up to %d", s.Do, time.Duration(longestTime), mostSaid)
	}
	if s.Do == Say && s.Text == "" {
		return fmt.Errorf("say has no text")
	}
	return nil
}

func (f Fault) validate(known map[string]bool) error {
	row, ok := f.Kind.row()
	switch {
	case !ok:
		return fmt.Errorf("unknown kind %q", f.Kind)
	case row.where != onServer && !known[f.Client]: // the server belongs to everyone
		return fmt.Errorf("%s on the link of %q, who is no client of the plan", f.Kind, f.Client)
	}
	if f.At.Client != "" && !known[f.At.Client] {
		return fmt.Errorf("%s waits for a frame of %q, who is no client of the plan", f.Kind, f.At.Client)
	}
	switch f.At.Direction {
	case "", Up, Down:
	default:
		return fmt.Errorf("unknown direction %q; there are up and down", f.At.Direction)
	}
	if f.At.Number < 0 || f.At.Connection < 0 || f.For < 0 || f.Delay < 0 || f.BytesPerSecond < 0 || f.Idle < 0 {
		return fmt.Errorf("%s has a negative number", f.Kind)
	}
	if max(f.For, f.Delay, f.Idle) > longestTime {
		return fmt.Errorf("%s lasts longer than %s", f.Kind, time.Duration(longestTime))
	}
	if row.needs != nil && row.needs(f) != "" {
		return fmt.Errorf("%s needs %s", f.Kind, row.needs(f))
	}
	return nil
}
