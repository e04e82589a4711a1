package labpage

import (
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/report"
)

// A Page is what a client shows over time.
type Page struct {
	Client string `json:"client"`
	TabOf  string `json:"tabOf,omitempty"`
	// Moments are the changes of the page, in order.
	Moments []Moment `json:"moments"`
}

// A Moment is a change of what a page shows.
type Moment struct {
	At float64 `json:"at"`
	// Event is the index of the event that causes the change.
	Event int `json:"event"`
	// Kind is opened, closed, connected, disconnected, sent, acknowledged, refused or shown.
	Kind history.Kind `json:"kind"`
	// State is connected, disconnected, recovered or closed after the change.
	State string `json:"state"`
	Text  string `json:"text,omitempty"`
	// From is the sender of a message.
	From string `json:"from,omitempty"`
	// Offset is the page's offset after the change.
	Offset int64 `json:"offset,omitempty"`
	// View counts the loads of the page.
	View int `json:"view,omitempty"`
	// Detail is the reason of a disconnect or a refusal.
	Detail string `json:"detail,omitempty"`
}

// A LogRow is a row of the server's log, with the time at which it is first observed.
type LogRow struct {
	At     float64 `json:"at"`
	Text   string  `json:"text"`
	Offset int64   `json:"offset"`
	Event  int     `json:"event"`
}

// A Session is the server's state of a disconnected client.
type Session struct {
	Client    string  `json:"client"`
	From      float64 `json:"from"`
	Until     float64 `json:"until"`
	Recovered bool    `json:"recovered"`
}

// pagesOf follows each page through the run. It leaves out the messages that the lab sends
// as barriers, but keeps the offsets that arrive with them.
func pagesOf(p plan.Plan, events []history.Event) []Page {
	pages := make([]Page, len(p.Clients))
	index := map[string]int{}
	states, offsets := map[string]string{}, map[string]int64{}
	for i, c := range p.Clients {
		pages[i] = Page{Client: c.Name, TabOf: c.TabOf, Moments: []Moment{}}
		index[c.Name] = i
	}
	senders := map[string]string{} // by the message's identity
	for _, e := range events {
		if id := history.Identity(e.Message); e.Kind == history.Sent && senders[id] == "" {
			senders[id] = e.Client
		}
	}
	for i, e := range events {
		at, known := index[e.Client]
		if !known {
			continue
		}
		switch e.Kind {
		case history.Opened:
			states[e.Client], offsets[e.Client] = "disconnected", e.Offset
		case history.Closed:
			states[e.Client] = "closed"
		case history.Disconnected:
			states[e.Client] = "disconnected"
		case history.Connected:
			states[e.Client] = "connected"
			if e.Recovered {
				states[e.Client] = "recovered"
			}
		case history.Shown:
			if e.Offset != 0 {
				offsets[e.Client] = e.Offset
			}
		case history.Sent, history.Acknowledged, history.Refused, history.Removed, history.Repeated:
		default:
			continue
		}
		if report.IsBarrier(e.Message) {
			continue
		}
		pages[at].Moments = append(pages[at].Moments, Moment{
			At: milliseconds(e.At), Event: i, Kind: e.Kind, State: states[e.Client], Text: e.Message, From: senders[history.Identity(e.Message)],
			Offset: offsets[e.Client], View: e.View, Detail: e.Detail,
		})
	}
	return pages
}
