package runner

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/protocol"
	"redial/scenarios/catalogue"
	"redial/scenarios/internal/verdict"
	"redial/scenarios/servers"
)

// Unplayable tells why a scenario cannot be played on a server in the real lab, as far as that
// is known before a run. It is "" if it can be played.
func Unplayable(s catalogue.Scenario, server servers.Server) string {
	return New(Options{}).unsupported(Cell{s, server})
}

// unsupported tells why the cell cannot be played, and is "" if it can.
func (r *Runner) unsupported(c Cell) string {
	if _, told := c.Scenario.Expect[c.Server.Step]; c.Scenario.Needs != "" && !told {
		return "needs " + c.Scenario.Needs + ": it is played with --step " + catalogue.Features
	}
	if _, only := c.Scenario.Expect[catalogue.OnPostgres]; only && len(c.Scenario.Expect) == 1 && c.Server.Step != catalogue.OnPostgres {
		return "needs a PostgreSQL and a Redis: it is played with --step " + catalogue.OnPostgres
	}
	if c.Server.Step != "" && c.expected() == catalogue.DoesNotApply {
		return "step " + c.Server.Step + " does not offer what the scenario is about"
	}
	if r.options.Lab == lab.Virtual && c.Scenario.RealOnly != "" {
		return c.Scenario.RealOnly
	}
	if r.options.Lab == lab.Virtual && c.Server.Server.Handler == nil {
		return "the virtual lab needs the server in its own process"
	}
	if r.options.Lab == lab.Virtual && c.Scenario.Cluster {
		return "the virtual lab has one server"
	}
	if c.Scenario.Cluster && len(c.Server.Nodes) == 0 {
		return "needs several servers"
	}
	if c.Scenario.WaitsOutHeartbeat && c.Server.Untuned {
		return "waits for a short heartbeat, and the server's cannot be set"
	}
	if c.Scenario.Restarts && c.Server.URL != "" {
		return "the server has to be stopped and started, and a URL's cannot be"
	}
	if c.Server.NewPage != nil {
		if why := beyondPage(c.Server, c.Scenario); why != "" {
			return why
		}
	}
	if p := c.Server.Protocol; p != nil {
		if why := beyondProtocol(*p, c.Scenario); why != "" {
			return why
		}
	}
	if !r.options.Golden && !c.Server.Level.AtLeast(c.Scenario.From) {
		return fmt.Sprintf("needs level %s, and the target claims %s", c.Scenario.From, c.Server.Level)
	}
	return ""
}

// beyondPage tells which part of the scenario an application's own page cannot play.
func beyondPage(server servers.Server, s catalogue.Scenario) string {
	script := s.Plan(1)
	wire := func(c plan.Client) bool { return c.Kind == plan.Wire }
	if server.Protocol == nil && slices.ContainsFunc(script.Clients, wire) {
		return "has clients without a page, and redial.yaml has no section socket"
	}
	if server.Pairwise && len(script.Clients) != 2 {
		return tooMany(script)
	}
	polls := func(c plan.Client) bool { return len(c.Transports) > 0 }
	if slices.ContainsFunc(script.Clients, polls) {
		return "is about transports, and the application's own page chooses its own"
	}
	for _, step := range script.Script {
		if step.Do.NeedsKitPage() {
			return fmt.Sprintf("has %s in it, for which the application's own page has no switch", step.Do)
		}
		if server.Trims && step.Text != strings.TrimSpace(step.Text) {
			return "has a text with white space at its ends, which page.without cannot tell from that of the page's template"
		}
	}
	return ""
}

// beyondProtocol tells which part of the scenario the application's protocol does not have.
func beyondProtocol(p protocol.Protocol, s catalogue.Scenario) string {
	script := s.Plan(1)
	if p.Send == nil && s.From.AtLeast(contract.ClientDelivery) {
		return "is about what clients send, and redial.yaml has no send"
	}
	if p.Send != nil && slices.ContainsFunc(script.Script, sendsValue) {
		switch {
		case p.Send.TextsOnly:
			return "sends objects and binary data, and redial.yaml has textsOnly"
		case p.Send.NoAck:
			return "sends objects and binary data, which a chat of texts refuses, and a server without acknowledgements cannot say so"
		}
	}
	for _, c := range script.Clients {
		for _, t := range c.Transports {
			if !p.Takes(t) {
				return "is about the transport " + t + ", and redial.yaml does not have it among transports"
			}
		}
	}
	if p.Pairwise() && len(script.Clients) != 2 {
		return tooMany(script)
	}
	if (p.Send == nil || p.Send.NoAck) && atAcknowledgement(script) > 0 {
		return "breaks the connection at an acknowledgement, and the server sends none"
	}
	return ""
}

// atAcknowledgement counts the faults of the plan that wait for an acknowledgement.
func atAcknowledgement(p plan.Plan) (faults int) {
	for _, f := range p.AllFaults() {
		if strings.HasPrefix(f.At.Match, "43") {
			faults++
		}
	}
	return faults
}

// judge judges the run, which was played at a level. If nothing kept its faults from firing but
// that no acknowledgement was sent or asked for, as below client-delivery nobody promises, the
// scenario does not apply, unless something else is expected of it. The history of an application's own page in a browser has no
// acknowledgements, so it cannot tell.
func (c Cell) judge(p plan.Plan, run lab.Run, played contract.Level, expected check.Expectation) check.Verdict {
	level := c.Server.Level
	v := verdict.Of(run, played)
	has := func(kinds ...history.Kind) bool {
		return slices.ContainsFunc(run.Events, func(e history.Event) bool { return slices.Contains(kinds, e.Kind) })
	}
	waiting := atAcknowledgement(p)
	if (expected == "" || expected == check.Fails) && v.Outcome == check.Inconclusive &&
		waiting > 0 && v.FaultsPlanned-v.FaultsFired == waiting &&
		c.Server.NewPage == nil && !level.AtLeast(contract.ClientDelivery) &&
		has(history.Sent) && has(history.Ended) && !has(history.Acknowledged, history.Refused) {
		return check.Verdict{Outcome: check.Unsupported, Level: level, Reason: "breaks the connection at an acknowledgement, and the server sends none or the page asks for none"}
	}
	return v
}

func tooMany(script plan.Plan) string {
	return fmt.Sprintf("has %d clients, and a message goes to one other client", len(script.Clients))
}

// sendsUnstorable tells whether the step sends a text for which a store may have no place: with a
// NUL, which PostgreSQL's TEXT cannot hold, or of more than 4,000 characters. Only an
// acknowledgement can refuse it, which the application's own page keeps to itself.
func sendsUnstorable(s plan.Step) bool {
	return s.Do == plan.Send && (strings.Contains(s.Text, "\x00") || utf8.RuneCountInString(s.Text) > 4000)
}

// sendsValue tells whether the step sends a text that pages turn into an object, an array or
// bytes.
func sendsValue(s plan.Step) bool {
	return s.Do == plan.Send && (strings.HasPrefix(s.Text, "/binary ") ||
		(strings.HasPrefix(s.Text, "{") || strings.HasPrefix(s.Text, "[")) && json.Valid([]byte(s.Text)))
}
