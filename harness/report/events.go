package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"redial/harness/history"
	"redial/harness/plan"
)

// around is a half-open range of up to n events with the event at index in its middle. Without
// an event (index < 0) it is the end of the run.
func around(total, index, n int) (from, to int) {
	if index < 0 || index >= total {
		index = total - 1
	}
	from = max(0, min(index-n/2, total-n))
	return from, min(total, from+n)
}

// clock is a time in a run, in seconds to the millisecond.
func clock(at plan.Duration) string {
	return fmt.Sprintf("%.3fs", time.Duration(at).Seconds())
}

// happenings has what happened in an event of each kind. Where it ends in a space, the message
// stands behind it.
var happenings = map[history.Kind]string{
	history.Began:         "the run begins",
	history.Ended:         "the run ends",
	history.Opened:        "loads the page",
	history.Closed:        "leaves the page",
	history.Connected:     "connects",
	history.Disconnected:  "disconnects",
	history.Sent:          "sends ",
	history.Suspended:     "is suspended, as on a laptop whose lid is closed",
	history.Resumed:       "wakes",
	history.Acknowledged:  "gets the acknowledgement for ",
	history.Refused:       "is refused ",
	history.Shown:         "shows ",
	history.Removed:       "no longer shows ",
	history.Repeated:      "is sent again ",
	history.Found:         "held before the run ",
	history.Stored:        "holds ",
	history.LogRead:       "is read to its end",
	history.ServerStarted: "is running",
	history.ServerStopped: "is down",
	history.DataReplaced:  "loses its data, as planned",
	history.Barrier:       "everything sent so far has had time to arrive",
	history.TimedOut:      "waited in vain",
}

// describe returns the subject of an event and what happened. Messages are clipped to columns.
func describe(e history.Event, columns int) (who, what string) {
	who, what = cmp.Or(e.Client, "lab"), cmp.Or(happenings[e.Kind], string(e.Kind))
	detail := e.Detail
	switch e.Kind {
	case history.Began, history.Ended:
		who = "lab"
		if e.Kind == history.Began && e.Level != "" {
			what += ", at level " + string(e.Level)
		}
	case history.Opened:
		if e.View > 1 {
			what += fmt.Sprintf(" again, view %d", e.View)
		}
	case history.Closed:
		what += fmt.Sprintf(", view %d", e.View)
	case history.Connected:
		if e.Recovered {
			what += ", recovered"
		}
	case history.Found, history.Stored, history.LogRead:
		who = "log"
	case history.ServerStarted, history.ServerStopped:
		who = cmp.Or(e.Node, "server")
	case history.DataReplaced:
		who = "server"
	case history.FaultFired, history.FaultHealed:
		who, what = cmp.Or(e.Client, e.Node, "server"), "fault "+e.Fault
		if e.Kind == history.FaultHealed {
			what += " is over"
		}
		what += ": " + e.FaultKind.Event()
		// The client stands beside it already.
		place := strings.TrimPrefix(strings.TrimPrefix(e.Detail, e.Client), ", ")
		if detail = ""; place != "" {
			what += " (" + place + ")"
		}
	}
	if strings.HasSuffix(happenings[e.Kind], " ") {
		what += quoted(e.Message, columns)
		if e.Offset != 0 {
			what += fmt.Sprintf(", offset %d", e.Offset)
		}
	}
	if detail != "" {
		what += ": " + detail
	}
	return Visible(who), Clip(Visible(what), columns+120)
}
