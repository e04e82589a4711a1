package report

import (
	"redial/harness/history"
	"redial/harness/plan"
)

// A Session is what the server keeps of a client that is gone, so that it can recover it.
type Session struct {
	Client    string
	From, To  plan.Duration
	Recovered bool
}

// Sessions are those that the server keeps in the window, as they are drawn.
func (s Scene) Sessions() (list []Session) {
	st := s.stage()
	if st.Keeps <= 0 {
		return nil
	}
	for _, kept := range st.kept() {
		list = append(list, Session{kept.client, kept.from, kept.to, kept.recovered})
	}
	return list
}

// A Row is a row of the log: the index of its event, and when the server is first seen to
// have it.
type Row struct {
	Event int
	At    plan.Duration
}

// Rows are the rows of the log, in its order.
func (s Scene) Rows() (list []Row) {
	st := s.stage()
	for i, e := range st.Events {
		if e.Kind == history.Stored {
			list = append(list, Row{i, st.timeOf(i)})
		}
	}
	return list
}

// IsBarrier tells whether the lab itself has a page send the message.
func IsBarrier(message string) bool { return isMark(message) }
