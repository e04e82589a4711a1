package history

import "redial/harness/plan"

// Traffic has the frames and connections of a run, for drawings. A verdict does not depend on
// it.
type Traffic struct {
	Frames      []Frame      `json:"frames,omitempty"`
	Connections []Connection `json:"connections,omitempty"`
	// LeftOut counts the frames above the limit of what is recorded.
	LeftOut int `json:"leftOut,omitempty"`
}

// A Frame is one frame that an end has sent: an HTTP message, or a WebSocket frame.
type Frame struct {
	// Passed identifies the frame as a fault does ([plan.Frame]).
	plan.Passed
	// Overall is its number for a fault that names no connection. It is 0 for a frame
	// that no fault can wait for, because its connection was broken before.
	Overall int `json:"overall,omitempty"`
	// Left is when it left its sender. At is when it arrived or, with Lost, was dropped.
	Left plan.Duration `json:"left"`
	At   plan.Duration `json:"at"`
	Lost bool          `json:"lost,omitempty"`
	// Type is http, text, binary, more (the continuation of a fragment), close, ping,
	// pong or bytes (unknown). Size counts its bytes.
	Type string `json:"type"`
	Size int    `json:"size"`
	// Text is the beginning of its payload, after the first line of an HTTP message.
	Text string `json:"text,omitempty"`
}

// A Connection is one connection of a client that reached the server.
type Connection struct {
	Client string        `json:"client"`
	Number int           `json:"number"`
	Opened plan.Duration `json:"opened"`
	// Ended is when it ended for the client, and Noticed when the server noticed, which is
	// later if the connection was half-open. Zero means that it lasted until the run ended.
	Ended   plan.Duration `json:"ended,omitempty"`
	Noticed plan.Duration `json:"noticed,omitempty"`
}
