package plan

import (
	"fmt"
	"slices"
	"time"

	"redial/harness/internal/words"
)

// The places where a fault breaks something.
const (
	onLink = iota
	onServer
	onPage
)

// A faultRow describes a kind of fault. A new kind is a row in faultKinds, and the code
// that performs it: package network for a link, package lab for the server and a page.
type faultRow struct {
	kind FaultKind
	// where is onLink, onServer or onPage. A fault of a link or a page names a client.
	where int
	// ends means that it ends open connections, and unnoticed that the server does not notice.
	ends, unnoticed bool
	// lasts means that it is a state of the link, which ends after Fault.For or by a Heal, and
	// blocks that the link passes no frame meanwhile.
	lasts, blocks bool
	// swept means that a sweep tries it at every frame.
	swept bool
	// weight is how often Random draws it, relative to the others; 0 means never.
	weight int
	// needs names the field that the fault needs, if any, and lacks reports that it has none.
	needs string
	lacks func(Fault) bool
	// story describes it as a sentence without its full stop.
	story func(Fault) string
	// event names it in a list of events that also names the client or the server.
	event string
}

var faultKinds = []faultRow{
	{kind: Cut, event: "connection cut", ends: true, swept: true, weight: 4, story: onItsLink("is cut")},
	{kind: Reset, event: "connection reset", ends: true, swept: true, weight: 2, story: onItsLink("is reset")},
	{kind: HalfOpen, event: "half-open connection, unnoticed by the server", ends: true, unnoticed: true, swept: true, weight: 3, story: onItsLink("is left half-open (the server does not notice)")},
	{kind: Switch, event: "network switched, unnoticed by the server", ends: true, unnoticed: true, swept: true, weight: 3, story: func(f Fault) string {
		return name(f.Client) + " switches networks (the server does not notice)"
	}},
	{kind: Silence, event: "network silent", lasts: true, blocks: true, weight: 2, story: func(f Fault) string { return f.link("goes silent") + f.lasting() }},
	{kind: Heal, event: "network repaired", story: onItsLink("is healed")},
	{kind: Outage, event: "network down", lasts: true, blocks: true, weight: 2, story: func(f Fault) string { return f.link("is out") + f.lasting() }},
	{kind: Delay, event: "network slow", lasts: true, weight: 1,
		story: func(f Fault) string {
			return f.link("delays every frame by "+time.Duration(f.Delay).String()) + f.lasting()
		}},
	{kind: Limit, event: "bandwidth limited", lasts: true,
		needs: "bytesPerSecond",
		lacks: func(f Fault) bool { return f.BytesPerSecond == 0 },
		story: func(f Fault) string {
			return f.link(fmt.Sprintf("lets %d bytes a second through", f.BytesPerSecond)) + f.lasting()
		}},
	{kind: IdleClose, event: "idle connection closed", lasts: true,
		needs: "idle, such as 5s",
		lacks: func(f Fault) bool { return f.Idle == 0 },
		story: func(f Fault) string {
			return f.link("closes connections that are idle for "+time.Duration(f.Idle).String()) + f.lasting()
		}},
	{kind: Crash, event: "server crash", where: onServer, swept: true, weight: 1, story: func(f Fault) string { return part(f.Node) + " crashes and starts again" }},
	{kind: Restart, event: "server restart", where: onServer, swept: true, weight: 1, story: func(f Fault) string { return part(f.Node) + " is stopped and started again" }},
	{kind: RefreshPage, event: "page refresh", where: onPage, swept: true, weight: 2, story: func(f Fault) string { return name(f.Client) + " refreshes the page" }},
}

func onItsLink(does string) func(Fault) string {
	return func(f Fault) string { return f.link(does) }
}

func (f Fault) link(does string) string { return possessive(f.Client) + " link " + does }

// lasting describes how long the fault lasts.
func (f Fault) lasting() string {
	if f.For > 0 {
		return " for " + time.Duration(f.For).String()
	}
	return " until it is healed"
}

// row returns the kind's row; false for an unknown kind.
func (k FaultKind) row() (faultRow, bool) {
	i := slices.IndexFunc(faultKinds, func(r faultRow) bool { return r.kind == k })
	if i < 0 {
		return faultRow{kind: k, where: -1}, false
	}
	return faultKinds[i], true
}

func kindsWhere(holds func(faultRow) bool) (kinds []FaultKind) {
	for _, r := range faultKinds {
		if holds(r) {
			kinds = append(kinds, r.kind)
		}
	}
	return kinds
}

// FaultKinds lists every kind.
var FaultKinds = kindsWhere(func(faultRow) bool { return true })

// Links lists the kinds that break a link, as against a process or a page.
var Links = kindsWhere(func(r faultRow) bool { return r.where == onLink })

// Lasting lists the kinds that are a state of the link.
var Lasting = kindsWhere(func(r faultRow) bool { return r.lasts })

// Sweep lists the kinds that a sweep tries at every frame.
var Sweep = kindsWhere(func(r faultRow) bool { return r.swept })

// ending lists the kinds that end open connections.
var ending = kindsWhere(func(r faultRow) bool { return r.ends })

// OnLink reports whether the fault breaks a link, and OnServer whether it breaks a server. A
// fault that does neither breaks a page.
func (k FaultKind) OnLink() bool { r, _ := k.row(); return r.where == onLink }

// OnServer is explained at OnLink.
func (k FaultKind) OnServer() bool { r, _ := k.row(); return r.where == onServer }

// EndsConnections reports whether the fault ends open connections and allows new ones.
func (k FaultKind) EndsConnections() bool { r, _ := k.row(); return r.ends }

// Unnoticed reports whether the fault ends a connection without the server noticing it.
func (k FaultKind) Unnoticed() bool { r, _ := k.row(); return r.unnoticed }

// Lasts reports whether the fault is a state of the link, which ends after Fault.For or by a
// Heal.
func (k FaultKind) Lasts() bool { r, _ := k.row(); return r.lasts }

// Blocks reports whether the link passes no frame while the fault lasts.
func (k FaultKind) Blocks() bool { r, _ := k.row(); return r.blocks }

// Event names the fault in a list of events: "connection cut". An unknown kind keeps its
// name.
func (k FaultKind) Event() string {
	if r, ok := k.row(); ok {
		return r.event
	}
	return string(k)
}

// The subjects that a step of an action has to name.
const (
	noClient = iota
	aClient
	aClientOrEveryone
	aClientAndNode
	aFault
)

// An actionRow describes an action. A new action is a row in actions, and the code
// that performs it, in package lab.
type actionRow struct {
	action Action
	names  int // noClient, aClient, …
	// breaks means that it breaks a connection, and noticed that an AwaitDisconnected for
	// it may follow, of any client where the step names none.
	breaks, noticed bool
	// disconnects means that a client may lose its connection by it.
	disconnects bool
	// kitPage means that the kit's page has a switch for it, and an application's has none.
	kitPage bool
	endedBy Action // see EndedBy
	// story describes it as a sentence without its full stop; who is the client or "everyone".
	story func(s Step, who string) string
}

var actions = []actionRow{
	{action: Open, names: aClient, story: does("opens the page")},
	{action: Send, names: aClient, story: func(s Step, who string) string { return who + " sends " + s.messages() }},
	{action: StartSending, names: aClient, endedBy: StopSending, story: func(s Step, who string) string { return who + " starts to send in the background: " + s.background() }},
	{action: StopSending, names: aClient, story: does("stops sending in the background")},
	{action: Refresh, names: aClient, disconnects: true, story: does("refreshes the page")},
	{action: Close, names: aClient, story: does("closes the tab")},
	{action: Disconnect, names: aClient, endedBy: Connect, noticed: true, disconnects: true, kitPage: true, story: does("calls disconnect()")},
	{action: Connect, names: aClient, kitPage: true, story: does("calls connect()")},
	{action: Suspend, names: aClient, endedBy: Resume, disconnects: true, story: does("closes the lid of the laptop (suspend)")},
	{action: Resume, names: aClient, story: does("opens the lid of the laptop (resume)")},
	{action: Throw, names: aClient, kitPage: true, story: func(_ Step, who string) string {
		return "a handler of " + possessive(who) + " page throws at the next message"
	}},
	{action: Break, names: aFault, breaks: true, noticed: true, disconnects: true, story: func(s Step, _ string) string { return s.Fault.happens() }},
	{action: Arm, names: aFault, breaks: true, noticed: true, disconnects: true, story: func(s Step, _ string) string { return "from here on: " + armed(*s.Fault) }},

	{action: StopServer, breaks: true, noticed: true, disconnects: true, endedBy: StartServer, story: happensTo("is stopped")},
	{action: KillServer, breaks: true, noticed: true, disconnects: true, endedBy: StartServer, story: happensTo("is killed")},
	{action: StartServer, story: happensTo("is started again")},
	{action: PauseServer, breaks: true, noticed: true, disconnects: true, endedBy: ContinueServer, story: happensTo("is paused")},
	{action: ContinueServer, story: happensTo("is continued")},
	{action: Move, names: aClientAndNode, breaks: true, story: func(s Step, who string) string {
		return possessive(who) + " link leads to " + part(s.Node) + " from now on"
	}},
	{action: LockDatabase, endedBy: UnlockDatabase, story: always("another program locks the database")},
	{action: UnlockDatabase, story: always("the database is unlocked")},
	{action: ReplaceData, story: always("the server's data is deleted")},

	{action: AwaitConnected, names: aClientOrEveryone, story: func(_ Step, who string) string { return "wait until " + who + " is connected" }},
	{action: AwaitDisconnected, names: aClientOrEveryone, story: func(_ Step, who string) string { return "wait until " + who + " is disconnected" }},
	{action: AwaitShown, names: aClient, story: func(s Step, who string) string {
		if s.Text != "" {
			return "wait until " + who + " sees " + quoted(s.Text)
		}
		return "wait until " + who + " sees " + words.Count(s.Count, "message")
	}},
	{action: AwaitFault, story: func(s Step, _ string) string { return "wait until the fault " + name(s.Text) + " has happened" }},
	{action: Wait, story: func(s Step, _ string) string { return time.Duration(s.For).String() + " pass" }},
	{action: Barrier, story: always("wait until every message has arrived")},
}

func does(what string) func(Step, string) string {
	return func(_ Step, who string) string { return who + " " + what }
}

func happensTo(what string) func(Step, string) string {
	return func(s Step, _ string) string { return part(s.Node) + " " + what }
}

func always(sentence string) func(Step, string) string {
	return func(Step, string) string { return sentence }
}

// row returns the action's row; false for an unknown action.
func (a Action) row() (actionRow, bool) {
	i := slices.IndexFunc(actions, func(r actionRow) bool { return r.action == a })
	if i < 0 {
		return actionRow{action: a}, false
	}
	return actions[i], true
}

// Actions lists every action.
var Actions = func() (all []Action) {
	for _, r := range actions {
		all = append(all, r.action)
	}
	return all
}()

// EndedBy returns the action that ends the effect of this one; empty for none.
func (a Action) EndedBy() Action { r, _ := a.row(); return r.endedBy }

// Disconnects reports whether a client may lose its connection by the action. An
// AwaitDisconnected waits for a disconnection since the last such step.
func (a Action) Disconnects() bool { r, _ := a.row(); return r.disconnects }

// NeedsKitPage reports whether only the kit's page can perform the action.
func (a Action) NeedsKitPage() bool { r, _ := a.row(); return r.kitPage }
