package report

import (
	"redial/harness/history"
	"redial/harness/plan"
)

// A Session is what the server stores about a disconnected client, so that it can recover it.
type Session struct {
	Client    string
	From, To  plan.Duration
	Recovered bool
}

// Sessions lists the stored sessions in the window, as they are drawn.
func (s Scene) Sessions() []Session { return s.stage().kept() }

// A Row is a row of the log: the index of its event, and when the server is first known to
// have the message.
type Row struct {
	Event int
	At    plan.Duration
}

// Rows lists the rows of the log, in its order.
func (s Scene) Rows() (list []Row) {
	st := s.stage()
	for i, e := range st.Events {
		if e.Kind == history.Stored {
			list = append(list, Row{i, st.timeOf(i)})
		}
	}
	return list
}
