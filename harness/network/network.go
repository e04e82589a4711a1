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

// A Link is one client's network path to the server, for all its connections.
type Link interface {
	// Address is what the client dials, "host:port".
	Address() string
	// Break injects the fault now. It returns an error if there is nothing to break, such as
	// for a Cut without an open connection.
	Break(f plan.Fault) error
	// Arm makes the fault wait for its frame, at which it fires once.
	Arm(f plan.Fault)
	// Connections returns how many of the client's connections have reached the server.
	Connections() int
}

// A Leader is a Link that can lead to another server than that of its network.
type Leader interface {
	// Lead leads the client's next connections to the server at address, "host:port". Open
	// connections stay.
	Lead(address string)
}

// Fired reports that a fault has happened.
type Fired struct {
	Fault plan.Fault
	// Where names the connection, the direction and the frame, for a report.
	Where string
	// Healed means that the fault is over.
	Healed bool
	// Failed is why the system did not let the fault happen, or end, that was reported before.
	Failed error
}

// Events are the functions that a network calls. It calls them from its goroutines, one call of
// each function at a time for each link, and holds the frame that has caused the call until it
// returns. Fired may be called while Act still runs, because a page that Act loads again uses
// the link. The functions must not break or close the link itself.
type Events struct {
	// Fired is called right before a fault takes effect or ends. It is not called for the
	// faults that Act injects.
	Fired func(Fired)
	// Act is called at the frame of an armed fault that the network cannot inject, such as a
	// crash, restart or refresh. Unless At.After is set, the frame is held until Act
	// returns, and it is lost if its connection has ended by then.
	Act func(plan.Fault)
	// Traffic, if not nil, records every frame and connection.
	Traffic *Traffic
}
