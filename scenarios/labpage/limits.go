package labpage

import (
	"fmt"
	"time"

	"redial/harness/plan"
)

// The limits of a document. They are strict, because a plan can come from any link.
const (
	mostPlan     = 64 << 10 // bytes
	mostClients  = 6
	mostSteps    = 300
	mostFaults   = 60
	mostMessages = 300
	mostText     = 2000 // characters
	mostName     = 24
	longest      = 10 * time.Minute // of virtual time, without waits for events
	shortestPing = 500 * time.Millisecond
	slowest      = 16 // bytes a second
)

// bounded reports, in one line, which limit a valid plan exceeds.
func bounded(p plan.Plan) error {
	switch {
	case len(p.Clients) == 0:
		return fmt.Errorf("the plan has no page")
	case len(p.Clients) > mostClients:
		return fmt.Errorf("the plan has %d pages; there is room for %d", len(p.Clients), mostClients)
	case len(p.Script) > mostSteps:
		return fmt.Errorf("the script has %d steps; there is room for %d", len(p.Script), mostSteps)
	case len(p.AllFaults()) > mostFaults:
		return fmt.Errorf("the plan has %d faults; there is room for %d", len(p.AllFaults()), mostFaults)
	}
	for _, c := range p.Clients {
		if len([]rune(c.Name)) > mostName {
			return fmt.Errorf("the name of a page has more than %d characters", mostName)
		}
		if c.Node != "" {
			return fmt.Errorf("%s is on a server of a cluster, and the lab page plays one server", c.Name)
		}
	}
	messages, total := 0, time.Duration(0)
	for i, s := range p.Script {
		if s.Node != "" {
			return fmt.Errorf("step %d is about a server of a cluster, and the lab page plays one server", i+1)
		}
		if len([]rune(s.Text)) > mostText {
			return fmt.Errorf("step %d has a text of more than %d characters", i+1, mostText)
		}
		switch s.Do {
		case plan.Send:
			messages += max(1, s.Count)
		case plan.StartSending:
			if s.Count == 0 || s.Every == 0 {
				return fmt.Errorf("step %d sends in the background without end: it needs a count and a pace", i+1)
			}
			messages += s.Count
		case plan.Wait:
			total += time.Duration(s.For)
		}
	}
	for _, f := range p.AllFaults() {
		if time.Duration(max(f.For, f.Delay)) > longest {
			return fmt.Errorf("the fault %s lasts longer than %s", f.Kind, longest)
		}
		if f.Kind == plan.Limit && f.BytesPerSecond < slowest {
			return fmt.Errorf("a link with %d bytes a second is as good as none; the slowest has %d", f.BytesPerSecond, slowest)
		}
		if f.Node != "" {
			return fmt.Errorf("the fault %s is about a server of a cluster, and the lab page plays one server", f.Kind)
		}
	}
	switch ping := p.Tuning.PingInterval; {
	case messages > mostMessages:
		return fmt.Errorf("the plan sends %d messages; there is room for %d", messages, mostMessages)
	case total > longest:
		return fmt.Errorf("the plan waits for %s in all; the longest is %s", total, longest)
	case ping != 0 && time.Duration(ping) < shortestPing:
		return fmt.Errorf("a ping every %s is too often; the shortest interval is %s", time.Duration(ping), shortestPing)
	}
	return nil
}
