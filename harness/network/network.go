// Package network is the breakable network between clients and a server. Each client has a
// link, which passes frames on, cuts the connection between any two of them, goes silent,
// changes the client's source address, and reports each fault.
//
// Read [Link] first, then [Proxy], the network of the real lab (TCP), and [Memory], the
// network of the virtual lab. frame.go finds the frames in the byte stream without decoding
// their content: HTTP messages during polling and handshakes, and WebSocket frames after
// that.
//
// network imports package plan for the definition of a fault. It must not know the clients,
// the server or what a message is.
package network

import "redial/harness/plan"

// A Link is one client's way to the server, over all its connections.
type Link interface {
	// Address is what the client dials, "host:port".
	Address() string
	// Break injects the fault now. A fault that has nothing to break (a cut with
	// no connection open) is an error, for then it did not happen.
	Break(f plan.Fault) error
	// Arm lets the fault wait for its frame. When the frame comes the fault fires
	// once and is disarmed.
	Arm(f plan.Fault)
	// Connections counts the client's connections so far, the open ones included.
	Connections() int
}

// A Leader is a Link that can lead to another server than its network's.
type Leader interface {
	// Lead leads the client's next connections to the server at address, "host:port".
	// The ones that are open stay.
	Lead(address string)
}

// Fired reports that a fault has happened.
type Fired struct {
	Fault plan.Fault
	// Where is for a person: the connection, the direction and the frame.
	Where string
	// Healed is true for the report that the fault is over.
	Healed bool
}

// Events are what a network tells its owner. They are called from the network's
// goroutines, one at a time for each link, and hold up the frame that caused them
// until they return. Fired may come while Act still runs (a page that is loaded
// again passes the link). An event must not break or close the link itself.
type Events struct {
	// Fired is called right before a fault takes effect (or heals). It is not
	// called for what Act is called for.
	Fired func(Fired)
	// Act is called when the frame of an armed fault comes that is not the
	// network's to inject (crash, restart, refresh). With At.After unset the frame
	// is held until Act returns and is then lost if its connection is gone.
	Act func(plan.Fault)
	// Traffic, if not nil, records every frame and connection.
	Traffic *Traffic
}
