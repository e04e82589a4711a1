package lab

import (
	"cmp"
	"slices"
	"time"

	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
)

// newTraffic returns nil if Config.Traffic is not set, so that nothing is recorded.
func newTraffic(config Config) *network.Traffic {
	if !config.Traffic {
		return nil
	}
	return &network.Traffic{}
}

// trafficOf returns the recorded traffic on the history's clock, in the order of arrival.
// Frames of one instant are sorted by their clients' names, so that the result does not depend
// on the scheduler. The connections of the lab's own readers are left out.
func (r *recorder) trafficOf(t *network.Traffic) history.Traffic {
	if t == nil {
		return history.Traffic{}
	}
	since := func(at time.Time) plan.Duration {
		if at.IsZero() {
			return 0
		}
		return r.history.Since(at)
	}
	isOurs := func(client string) bool { return client == plan.Reader || client == plan.Stream }
	frames, connections, leftOut := t.Recorded()
	told := history.Traffic{LeftOut: leftOut}
	for _, f := range frames {
		if !isOurs(f.Client) {
			told.Frames = append(told.Frames, history.Frame{
				Passed: f.Passed, Overall: f.Overall, Left: since(f.Left), At: since(f.At), Lost: f.Lost,
				Type: f.Type, Size: f.Size, Text: f.Text,
			})
		}
	}
	slices.SortStableFunc(told.Frames, func(a, b history.Frame) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Client, b.Client), cmp.Compare(a.Direction, b.Direction),
			cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Number, b.Number))
	})
	for _, c := range connections {
		if !isOurs(c.Client) {
			told.Connections = append(told.Connections, history.Connection{
				Client: c.Client, Number: c.Number, Opened: since(c.Opened), Ended: since(c.Ended), Noticed: since(c.Noticed),
			})
		}
	}
	slices.SortStableFunc(told.Connections, func(a, b history.Connection) int {
		return cmp.Or(cmp.Compare(a.Opened, b.Opened), cmp.Compare(a.Client, b.Client))
	})
	return told
}
