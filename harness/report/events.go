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

// serverName names a node of a cluster, or the only server, which has no name.
func serverName(node string) string { return cmp.Or(node, "server") }

// faulty names the client or server that a fault concerns.
func faulty(e history.Event) string {
	if e.Client == "" {
		return serverName(e.Node)
	}
	return e.Client
}

// where is the connection and frame of a fault, in brackets. It omits the client, which stands
// beside it already.
func where(e history.Event) string {
	detail := strings.TrimPrefix(strings.TrimPrefix(e.Detail, e.Client), ", ")
	if detail == "" {
		return ""
	}
	return " (" + detail + ")"
}

// describe returns the subject of an event and what happened. Messages are clipped to columns.
func describe(e history.Event, columns int) (who, what string) {
	message := quoted(e.Message, columns)
	if e.Offset != 0 {
		message += fmt.Sprintf(", offset %d", e.Offset)
	}
	who = e.Client
	switch e.Kind {
	case history.Began:
		who, what = "lab", "the run begins"
		if e.Level != "" {
			what += ", at level " + string(e.Level)
		}
	case history.Ended:
		who, what = "lab", "the run ends"
	case history.Opened:
		what = "loads the page"
		if e.View > 1 {
			what = fmt.Sprintf("loads the page again, view %d", e.View)
		}
	case history.Closed:
		what = fmt.Sprintf("leaves the page, view %d", e.View)
	case history.Connected:
		what = "connects"
		if e.Recovered {
			what += ", recovered"
		}
	case history.Disconnected:
		what = "disconnects"
	case history.Sent:
		what = "sends " + message
	case history.Suspended:
		what = "is suspended, as on a laptop whose lid is closed"
	case history.Resumed:
		what = "wakes"
	case history.Acknowledged:
		what = "gets the acknowledgement for " + message
	case history.Refused:
		what = "is refused " + message
	case history.Shown:
		what = "shows " + message
	case history.Repeated:
		what = "is sent again " + message
	case history.Found:
		who, what = "log", "held before the run "+message
	case history.Stored:
		who, what = "log", "holds "+message
	case history.LogRead:
		who, what = "log", "is read to its end"
	case history.ServerStarted:
		who, what = serverName(e.Node), "is running"
	case history.ServerStopped:
		who, what = serverName(e.Node), "is down"
	case history.DataReplaced:
		who, what = "server", "loses its data, as planned"
	case history.FaultFired:
		return Visible(faulty(e)), Clip(Visible(fmt.Sprintf("fault %s: %s%s", e.Fault, e.FaultKind.Event(), where(e))), columns+120)
	case history.FaultHealed:
		return Visible(faulty(e)), Clip(Visible(fmt.Sprintf("fault %s is over: %s%s", e.Fault, e.FaultKind.Event(), where(e))), columns+120)
	case history.Barrier:
		what = "everything sent so far has had time to arrive"
	case history.TimedOut:
		what = "waited in vain"
	case history.Note:
		what = "note"
	default:
		what = string(e.Kind)
	}
	who = cmp.Or(who, "lab")
	if e.Detail != "" {
		what += ": " + e.Detail
	}
	return Visible(who), Clip(Visible(what), columns+120)
}
