// Package contract defines what a chat server has to offer in order to be tested, the
// promises (levels) that it can make, and the rules of each.
//
// Read the constants first (event names, environment, [Level]), then [Rules]. The package
// contains definitions only: nothing in it runs, connects or judges. The README's section
// "Check a server" describes the same in prose.
package contract

import (
	"fmt"
	"slices"
	"strings"
)

// The messages between a page and a server.
const (
	// ChatEvent is emitted by the client with (text [, key] [, acknowledgement])
	// and by the server with (text [, offset]). The key is the client's
	// idempotency key, from level client-delivery on. The offset is a whole
	// number that grows with the log, from level server-delivery on.
	ChatEvent = "chat message"
	// AuthOffset is the field of the handshake's auth payload in which the client sends
	// the last offset that it has shown; 0 for a new page.
	AuthOffset = "serverOffset"
	// RefusalField: an acknowledgement whose first argument is an object with
	// this field is a refusal, and the field is the reason. Every other
	// acknowledgement means that the message was accepted.
	RefusalField = "error"
)

// The environment of a server that is started as a command. A server may ignore all but the
// first two; the run then takes longer.
const (
	// EnvPort is the TCP port to listen on, on 127.0.0.1.
	EnvPort = "PORT"
	// EnvDataDir is the folder for data that must outlive the process.
	EnvDataDir = "DATA_DIR"
	// EnvPingInterval, EnvPingTimeout and EnvMaxDisconnection are milliseconds:
	// Engine.IO's heartbeat, and connection state recovery's
	// maxDisconnectionDuration.
	EnvPingInterval     = "PING_INTERVAL"
	EnvPingTimeout      = "PING_TIMEOUT"
	EnvMaxDisconnection = "MAX_DISCONNECTION_DURATION"
)

// The server is ready when GET / on its port returns any answer. SIGTERM stops it.

// ClientPath is where a server offers its client bundle, as the official server
// does. When it answers 404, the harness uses its own pinned bundle.
const ClientPath = "/socket.io/socket.io.js"

// The ids of the elements of a page that the harness types into and reads.
const (
	FormID     = "form"
	InputID    = "input"
	MessagesID = "messages"
)

// A Level is a promise about delivery that a server makes. Each includes the
// ones before it.
type Level string

const (
	// Basic: a message is shown once and in order on every page that is connected, if the
	// page that sends it and the page that receives it both stay connected.
	Basic Level = "basic"
	// Recovery: a short disconnection loses no message (connection state recovery,
	// step 6).
	Recovery Level = "recovery"
	// ServerDelivery: every message that the server stored reaches every page, across
	// any disconnection, restart or refresh (step 7).
	ServerDelivery Level = "server-delivery"
	// ClientDelivery: every message sent from a page that stays open is stored, and
	// shown, exactly once (step 8).
	ClientDelivery Level = "client-delivery"
	// DurableDelivery: the same for a message whose page has been refreshed or closed since,
	// once that browser opens the chat again (step 10).
	DurableDelivery Level = "durable-delivery"
)

// Levels lists the levels from the weakest promise to the strongest.
var Levels = []Level{Basic, Recovery, ServerDelivery, ClientDelivery, DurableDelivery}

var promises = map[Level]string{
	Basic:           "a message is shown once and in order on every page that is connected, if the page that sends it and the page that receives it both stay connected",
	Recovery:        "the same over a short disconnection",
	ServerDelivery:  "every message that the server stored reaches every page, over any disconnection, restart or refresh",
	ClientDelivery:  "every message that was sent on a page that stays open is stored and shown once",
	DurableDelivery: "every message that was sent on a page that was refreshed or closed since is stored and shown, as soon as that browser has a page again",
}

// Promise returns the level's promise beyond that of the level before it, as a sentence
// without its full stop.
func (l Level) Promise() string { return promises[l] }

// LevelNames lists the names of the Levels.
func LevelNames() (names []string) {
	for _, l := range Levels {
		names = append(names, string(l))
	}
	return names
}

// ParseLevel returns the level with the name. Its error lists the names.
func ParseLevel(name string) (Level, error) {
	if slices.Contains(Levels, Level(name)) {
		return Level(name), nil
	}
	return "", fmt.Errorf("there is no level %q; the levels are %s", name, strings.Join(LevelNames(), ", "))
}

// AtLeast reports whether l includes the promise of other.
func (l Level) AtLeast(other Level) bool { return l.rank() >= other.rank() }

func (l Level) rank() int { return slices.Index(Levels, l) }

// RuleID is a rule's stable name.
type RuleID string

// The rules. Each break of a promise counts under exactly one rule, the most specific one, so
// that a verdict names the cause and not its consequences.
const (
	NoPhantom   RuleID = "no-phantom"
	NoDuplicate RuleID = "no-duplicate"
	NoLoss      RuleID = "no-loss"
	Order       RuleID = "order"
	Agreement   RuleID = "agreement"
	Sends       RuleID = "sends"
	Convergence RuleID = "convergence"
	NoRepeat    RuleID = "no-repeat"
)

// Never is the MustFrom of a rule that is a should at every level.
const Never Level = ""

// A Rule is one thing that must, or should, hold in every run.
type Rule struct {
	ID RuleID
	// Sentence is the rule as a sentence, for the report of a failure.
	Sentence string
	// MustFrom is the weakest level at which breaking the rule is a failure.
	// Below it the rule is a should: a break is reported, and does not fail the run.
	MustFrom Level
}

// Rules lists every rule, in the order in which they are judged.
var Rules = []Rule{
	{NoPhantom, "A page shows only messages that a client sent, unchanged.", Basic},
	{NoDuplicate, "A page shows no message twice.", Basic},
	{Order, "Each sender's messages are stored and shown in the order sent; where there is a log, a page shows all messages in its order.", Basic},
	{NoLoss, "A page shows every message that the level promises it.", Basic},
	{Agreement, "All pages, and the log as a new client reads it, hold the same messages in the same order.", Recovery},
	{Sends, "An acknowledged message is stored exactly once, and no message more than once.", Basic},
	{Convergence, "After the last fault, every page reconnects and catches up within the time limit.", Basic},
	// A page may drop a repeated message, so this is a should. But the repeat costs bandwidth,
	// and is often an off-by-one error of the server.
	{NoRepeat, "The server sends a page no message twice on one connection, and none that the page's offset already covers.", Never},
}

// Sentence returns the rule as a sentence.
func (id RuleID) Sentence() string {
	for _, r := range Rules {
		if r.ID == id {
			return r.Sentence
		}
	}
	return "this rule is not in the contract"
}

// MustAt reports whether breaking the rule fails a target at level l.
func (r Rule) MustAt(l Level) bool { return r.MustFrom != Never && l.AtLeast(r.MustFrom) }
