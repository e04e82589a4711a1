package report

import (
	"fmt"
	"slices"

	"redial/harness/check"
	"redial/harness/history"
)

// excerptEvents bounds how many events of a history a failure is told with.
const excerptEvents = 16

// excerpt is the events that matter to the offence, in order, each with its number from
// 1, as everywhere; "…" stands where others were left out, and ">" marks the offence.
func excerpt(r Result, s Style) []string {
	if len(r.Events) == 0 {
		return nil
	}
	f := r.offence()
	chosen, marked := relevant(r.Events, f), -1
	if f != nil {
		marked = f.Event
	}
	lines := []string{fmt.Sprintf("  %-9s  %d of %s", "history", len(chosen), count(len(r.Events), "event"))}
	names := 0
	for _, i := range chosen {
		who, _ := describe(r.Events[i], 40)
		names = max(names, min(12, textWidth(who)))
	}
	before := -1
	for _, i := range chosen {
		if i > before+1 {
			lines = append(lines, "             …")
		}
		before = i
		who, what := describe(r.Events[i], s.columns()-64)
		mark := "  "
		if i == marked {
			mark = "> "
		}
		line := clip(fmt.Sprintf("    %s%4d %9s  %s  %s", mark, i+1, clock(r.Events[i].At), pad(clip(who, names), names), what), s.columns())
		if i == marked {
			line = s.paint(red, line)
		}
		lines = append(lines, line)
	}
	if before < len(r.Events)-1 {
		lines = append(lines, "             …")
	}
	return lines
}

// relevant are the indices of the events that the finding is about: what became of its
// message, what broke, and when its page came and went. Where there are too many, those
// nearest to the sending of the message stay; without a finding, the last ones.
func relevant(events []history.Event, f *check.Finding) []int {
	if f == nil {
		from := max(0, len(events)-excerptEvents)
		return series(from, len(events))
	}
	var chosen []int
	sent := f.Event
	for i, e := range events {
		mine := e.Client != "" && e.Client == f.Client
		switch e.Kind {
		case history.Sent:
			if f.Message != "" && e.Message == f.Message {
				sent = i
				chosen = append(chosen, i)
			}
		case history.Shown, history.Stored, history.Acknowledged, history.Refused:
			if f.Message != "" && e.Message == f.Message {
				chosen = append(chosen, i)
			}
		case history.FaultFired, history.FaultHealed, history.ServerStopped, history.ServerStarted, history.DataReplaced:
			chosen = append(chosen, i)
		case history.Opened, history.Closed, history.Connected, history.Disconnected:
			if mine {
				chosen = append(chosen, i)
			}
		default:
			if i == f.Event {
				chosen = append(chosen, i)
			}
		}
	}
	if f.Event >= 0 && !slices.Contains(chosen, f.Event) {
		chosen = append(chosen, f.Event)
	}
	if len(chosen) > excerptEvents {
		slices.SortStableFunc(chosen, func(a, b int) int {
			return rank(a, sent, f.Event) - rank(b, sent, f.Event)
		})
		chosen = chosen[:excerptEvents]
	}
	slices.Sort(chosen)
	return chosen
}

// rank orders events by how far they are from the sending; the offence comes first.
func rank(i, sent, offence int) int {
	if i == offence {
		return -1
	}
	return distance(i, sent)
}

func series(from, to int) (list []int) {
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}
