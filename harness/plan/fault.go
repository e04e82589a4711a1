package plan

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// longestSeam bounds Plan.Seams: longer pauses at every query would only time out.
const longestSeam = Duration(time.Second)

// longestTime bounds every time in a plan, and mostSent a step's Count: a larger value is a
// typing error, with which the run would not end.
const (
	longestTime = Duration(24 * time.Hour)
	mostSent    = 1_000_000
)

// FaultKind is what a fault breaks.
type FaultKind string

const (
	// Cut closes the connection cleanly (FIN in both directions).
	Cut FaultKind = "cut"
	// Reset ends the connection with a TCP reset (RST) in both directions.
	Reset FaultKind = "reset"
	// HalfOpen closes it for the client only. The server keeps the connection and
	// receives nothing on it until its ping times out.
	HalfOpen FaultKind = "half-open"
	// Switch is HalfOpen and, from then on, another source address, as when a phone
	// switches from WiFi to 4G.
	Switch FaultKind = "switch"
	// Silence holds all data in both directions while both ends stay open. When it
	// ends, after For, the data is delivered late, as TCP does. With For zero it lasts
	// until Heal.
	Silence FaultKind = "silence"
	// Heal ends a Silence, an Outage, a Delay, a Limit or an IdleClose.
	Heal FaultKind = "heal"
	// Outage cuts open connections and refuses new ones, for For or until Heal.
	Outage FaultKind = "outage"
	// Delay delays every frame by Delay.
	Delay FaultKind = "delay"
	// Limit limits the bandwidth to BytesPerSecond in each direction.
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

// Direction is the direction of a frame.
type Direction string

const (
	// Up is from the client to the server.
	Up Direction = "up"
	// Down is from the server to the client.
	Down Direction = "down"
)

// A Fault is one fault: its kind, the link it breaks, and when.
type Fault struct {
	// ID names the fault in the history. Empty means that the lab numbers it.
	ID   string    `json:"id,omitempty"`
	Kind FaultKind `json:"kind"`
	// Client is the client whose link or page breaks.
	Client string `json:"client,omitempty"`
	// At is the frame that the fault waits for. A Break step ignores it.
	At Frame `json:"at,omitzero"`

	// Node is the server of a cluster that a Crash or a Restart acts on, as in Step.
	Node string `json:"node,omitempty"`
	// For is how long a Silence or an Outage lasts. Zero means until Heal.
	For Duration `json:"for,omitempty"`
	// Delay is the time by which a Delay delays each frame, in one direction.
	Delay Duration `json:"delay,omitempty"`
	// BytesPerSecond is the bandwidth of a Limit, in each direction.
	BytesPerSecond int `json:"bytesPerSecond,omitempty"`
	// Idle is how long a connection may be idle before an IdleClose cuts it.
	Idle Duration `json:"idle,omitempty"`
}

// A Frame is a position in the traffic of one link: the Number-th frame in Direction
// that matches.
//
// A frame is an HTTP request (up) or response (down), the WebSocket handshake
// included, or a WebSocket frame. Frames are counted from 1: per connection where
// Connection is given, and otherwise over all connections of the client.
type Frame struct {
	// Client is the client on whose link the frame passes. Empty means the fault's own.
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
	// After lets the frame pass before the fault. Otherwise the frame is lost with the
	// connection, in either direction.
	After bool `json:"after,omitempty"`
}

// Validate returns the first error in the plan, as one line.
func (p Plan) Validate() error {
	known := map[string]bool{}
	for _, c := range p.Clients {
		switch {
		case c.Name == "":
			return fmt.Errorf("plan: a client has no name")
		case c.Name == Reader, c.Name == Stream:
			return fmt.Errorf("plan: the client name %q is reserved for the lab", c.Name)
		case known[c.Name]:
			return fmt.Errorf("plan: two clients are called %q", c.Name)
		}
		switch c.Kind {
		case "", Page, Wire:
		default:
			return fmt.Errorf("plan: client %q has the unknown kind %q", c.Name, c.Kind)
		}
		if c.Retries && c.Kind != Wire {
			return fmt.Errorf("plan: client %q has retries, which only a wire client can have: a page follows its own script", c.Name)
		}
		if c.ReconnectDelay < 0 || c.ReconnectDelay > longestTime {
			return fmt.Errorf("plan: client %q has a reconnectDelay of %s; a time is between 0 and %s", c.Name, time.Duration(c.ReconnectDelay), time.Duration(longestTime))
		}
		for _, t := range c.Transports {
			if t != "websocket" && t != "polling" {
				return fmt.Errorf("plan: client %q asks for the transport %q; there are websocket and polling", c.Name, t)
			}
		}
		if c.TabOf != "" && !known[c.TabOf] {
			return fmt.Errorf("plan: client %q is a tab of %q, which is no client listed before it", c.Name, c.TabOf)
		}
		known[c.Name] = true
	}
	if p.Seams < 0 || p.Seams > longestSeam {
		return fmt.Errorf("plan: seams are pauses of up to %s, not of %s", time.Duration(longestSeam), time.Duration(p.Seams))
	}
	for _, d := range []Duration{p.Tuning.PingInterval, p.Tuning.PingTimeout, p.Tuning.MaxDisconnection} {
		if d < 0 || d > longestTime {
			return fmt.Errorf("plan: the tuning has a time of %s; a time is between 0 and %s", time.Duration(d), time.Duration(longestTime))
		}
	}
	if err := p.validateScript(known); err != nil {
		return err
	}
	for i, f := range p.Faults {
		err := f.validate(known)
		if err == nil {
			err = f.armed()
		}
		if err != nil {
			return fmt.Errorf("plan: fault %d: %w", i+1, err)
		}
	}
	ids := map[string]bool{}
	for _, f := range p.AllFaults() {
		if f.ID != "" && ids[f.ID] {
			return fmt.Errorf("plan: two faults have the ID %q, so the history could not tell which of them fired", f.ID)
		}
		ids[f.ID] = true
	}
	return nil
}

// validateScript validates the steps, and that each client stops what it does in the background.
func (p Plan) validateScript(known map[string]bool) error {
	sending, suspended, locked := map[string]bool{}, map[string]bool{}, false
	still := func(state map[string]bool) string {
		for _, c := range p.Clients {
			if state[c.Name] {
				return c.Name
			}
		}
		return ""
	}
	for i, s := range p.Script {
		if err := s.validate(known); err != nil {
			return fmt.Errorf("plan: step %d: %w", i+1, err)
		}
		switch s.Do {
		case StartSending, StopSending:
			sending[s.Client] = s.Do == StartSending
		case Suspend, Resume:
			suspended[s.Client] = s.Do == Suspend
		case LockDatabase, UnlockDatabase:
			locked = s.Do == LockDatabase
		case AwaitFault:
			if !slices.ContainsFunc(p.WithFaultIDs().AllFaults(), func(f Fault) bool { return f.ID == s.Text }) {
				return fmt.Errorf("plan: step %d: await-fault waits for %q, which is the ID of no fault of the plan", i+1, s.Text)
			}
		case Send:
			if suspended[s.Client] {
				return fmt.Errorf("plan: step %d: %s sends while suspended: resume has to come first", i+1, name(s.Client))
			}
		case Barrier:
			if locked {
				return fmt.Errorf("plan: step %d: barrier while the database is locked: unlock-database has to come first", i+1)
			}
			if c := still(sending); c != "" {
				return fmt.Errorf("plan: step %d: barrier while %s sends in the background: stop-sending has to come first", i+1, name(c))
			}
			if c := still(suspended); c != "" {
				return fmt.Errorf("plan: step %d: barrier while %s is suspended: resume has to come first", i+1, name(c))
			}
		}
	}
	if locked {
		return errors.New("plan: the database is still locked when the script ends: it needs unlock-database")
	}
	if c := still(sending); c != "" {
		return fmt.Errorf("plan: %s still sends in the background when the script ends: it needs stop-sending", name(c))
	}
	if c := still(suspended); c != "" {
		return fmt.Errorf("plan: %s is still suspended when the script ends: it needs resume", name(c))
	}
	return nil
}

// armed refuses a fault that waits for a frame of nobody.
func (f Fault) armed() error {
	if f.Client == "" && f.At.Client == "" {
		return fmt.Errorf("%s waits for a frame, and names no client whose frame that is", f.Kind)
	}
	return nil
}

// Reader is the name under which the lab itself reads the log.
const Reader = "reader"

// Stream is the sender of messages that a server emits by itself.
const Stream = "stream"

func (s Step) validate(known map[string]bool) error {
	row, ok := s.Do.row()
	if !ok {
		return fmt.Errorf("unknown action %q", s.Do)
	}
	switch row.names {
	case aClient:
		if !known[s.Client] {
			return fmt.Errorf("%s by %q, which is no client of the plan", s.Do, s.Client)
		}
	case aClientOrEveryone:
		if s.Client != "" && !known[s.Client] {
			return fmt.Errorf("%s for %q, which is no client of the plan", s.Do, s.Client)
		}
	case aClientAndNode:
		if !known[s.Client] || s.Node == "" {
			return fmt.Errorf("%s needs a client of the plan and a node, and has %q and %q", s.Do, s.Client, s.Node)
		}
	case aFault:
		if s.Fault == nil {
			return fmt.Errorf("%s has no fault", s.Do)
		}
		if s.Do == Arm {
			if err := s.Fault.armed(); err != nil {
				return err
			}
		}
		return s.Fault.validate(known)
	}
	if s.Do == Wait && s.For <= 0 {
		return fmt.Errorf("wait needs a time to wait for")
	}
	if s.Every < 0 || s.For < 0 || max(s.Every, s.For) > longestTime || s.Count < 0 || s.Count > mostSent {
		return fmt.Errorf("%s has a time or a count out of bounds: times are up to %s, counts up to %d", s.Do, time.Duration(longestTime), mostSent)
	}
	if s.Do == Send && s.Text == "" {
		return fmt.Errorf("send has no text")
	}
	return nil
}

func (f Fault) validate(known map[string]bool) error {
	row, ok := f.Kind.row()
	switch {
	case !ok:
		return fmt.Errorf("unknown kind %q", f.Kind)
	case row.where != onServer && !known[f.Client]: // a fault of the server has no client
		return fmt.Errorf("%s on the link of %q, which is no client of the plan", f.Kind, f.Client)
	}
	if f.At.Client != "" && !known[f.At.Client] {
		return fmt.Errorf("%s waits for a frame of %q, which is no client of the plan", f.Kind, f.At.Client)
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
	if row.lacks != nil && row.lacks(f) {
		return fmt.Errorf("%s needs %s", f.Kind, row.needs)
	}
	return nil
}
