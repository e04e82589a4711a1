package defect

import (
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
)

// raced has shorter pauses, for the virtual lab.
var raced = Delays{Seed: 1, BeforeEmit: 8 * time.Millisecond, BetweenRows: 2 * time.Millisecond}

// published lists the tutorial's servers as published, one row for each failure.
var published = []Defect{
	{
		Name: "published-replay-and-live", Sentence: "A page that connects between INSERT and emit gets the message from both.",
		Source: "the tutorial, step 7", Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "drops-under-traffic",
		New: Published(defaultDelays), Page: ShowsAll,
	},
	{
		Name: "published-cut-in-replay", Sentence: "A live message in mid-replay moves the offset past what was not replayed yet; a cut there loses the rest.",
		Source: "the tutorial, step 7", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "cut-in-replay",
		New: Published(raced), VirtualOnly: true,
	},
	{
		Name: "published-burst", Sentence: "Messages of one sender are stored in parallel, and overtake each other.",
		Source: "the tutorial, step 7", Level: contract.ServerDelivery, Rule: contract.Order, Scenario: "burst",
		New: Published(raced), Page: ShowsAll, VirtualOnly: true,
	},
	{
		Name: "published-two-writers", Sentence: "The higher id is emitted first, and a page that leaves between the two never gets the lower.",
		Source: "the tutorial, step 7", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "emit-order-inverted",
		New: Published(raced), VirtualOnly: true,
	},
	{
		Name: "published-offset-back", Sentence: "A message with a lower id that arrives late sets the page's offset back, and what lies between comes again.",
		Source: "the tutorial, step 7", Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "drop-after-two-writers",
		New: Published(raced), Page: ShowsAll, VirtualOnly: true,
	},
	{
		Name: "published-keys", Sentence: "Two pages that are offline both use undefined-0 as a key: the second message is acknowledged and never stored.",
		Source: "the tutorial, step 8", Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "two-tabs-write-offline",
		New: PublishedKeyed(Delays{}), Page: CountsKeys,
	},
	{
		Name: "published-gives-up", Sentence: "A message is dropped without a word when the database is unavailable for longer than four attempts take.",
		Source: "the tutorial, step 8", Level: contract.ClientDelivery, Rule: contract.NoLoss, Scenario: "database-unavailable",
		New: PublishedKeyed(Delays{}), Page: CountsKeys,
	},
	{
		Name: "published-refresh", Sentence: "What waits to be sent is gone with the page.",
		Source: "the tutorial, step 8", Level: contract.DurableDelivery, Rule: contract.NoLoss, Scenario: "refresh-with-pending", Step: "8",
	},
}

// sessions lists the servers that store nothing and promise recovery.
var sessions = []Defect{
	{
		Name: "half-open", Sentence: "A page that switches networks finds no session, since the server has not noticed that the old connection is dead.",
		Source: "socket.io's in-memory adapter, in Node and in Go", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "network-switch", New: PublishedRecovery,
	},
	{
		Name: "zero-events", Sentence: "A page that has received nothing has no offset, and is never recovered.",
		Source: "socketio/socket.io #5538", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "drop-before-any-event", New: PublishedRecovery,
	},
	{
		Name: "zombie", Sentence: "A dead connection that ends late takes with it the live one of the same session.",
		Source: "socketio/socket.io #4880", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "zombie", New: PublishedRecovery,
	},
	{
		Name: "idle", Sentence: "In a quiet room the newest offset is forgotten, and who has it is not recovered.",
		Source: "socketio/socket.io #5282", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "idle", New: PublishedRecovery,
	},
	{
		Name: "volatile-offset", Sentence: "A volatile event that ends in a string leaves the page with an offset that nobody knows.",
		Source: "socketio/socket.io #5539", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "volatile-then-drop", New: FeaturesPublished,
	},
	{
		Name: "acknowledged-broadcast", Sentence: "A broadcast that asks for acknowledgements is not kept for who is away.",
		Source: "socket.io's in-memory adapter, in Node and in Go", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "acknowledged-broadcast", New: FeaturesPublished,
	},
	{
		Name: "recovered-bytes", Sentence: "It keeps bytes as a reader that is at its end once they are sent, and sends none to a page that is recovered.",
		Source: "zishang520/socket.io 3.0.2", Level: contract.Recovery, Rule: contract.NoPhantom, Scenario: "payloads-drop", New: PublishedRecovery,
	},
	{
		Name: "slow-middleware", Sentence: "What is said while a middleware runs is neither replayed to a recovered page nor live for it yet.",
		Source: "socket.io's in-memory adapter, in Node and in Go (skipMiddlewares: false)", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "slow-middleware", New: FeaturesPublished,
	},
	{
		Name: "restore-not-atomic", Sentence: "It reads what a page missed 5 ms before the page is in its rooms again, and what is said in between never comes.",
		Source: "zishang520/socket.io 3.0.2, where a busy scheduler makes the pause", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "restore-under-traffic",
		New: restoring(func(_ int, s *socket.Session) *socket.Session {
			time.Sleep(5 * time.Millisecond)
			return s
		}),
	},
	{
		Name: "told-to-go", Sentence: "A page that is told to disconnect stays away, by design of the client.",
		Source: "socket.io's disconnectSockets", Level: contract.Recovery, Rule: contract.Convergence, Scenario: "server-disconnects", New: FeaturesPublished,
	},
	{
		Name: "never-recovers", Sentence: "It keeps no session, so nobody is recovered.",
		Source: "the tutorial, step 9, with the cluster adapter", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "clean-drop",
		New: restoring(func(int, *socket.Session) *socket.Session { return nil }),
	},
	{
		Name: "recovers-once", Sentence: "A session can be restored once, so a page that is cut off before it has the answer has lost it.",
		Source: "a cure for the zombie that is worse than the illness", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "cut-before-connect-packet", New: UsesUp,
	},
	{
		Name: "own-offset", Sentence: "It goes on from what it sent last, not from what the page has.",
		Source: slip, Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "switch-then-drop", New: OwnOffset,
	},
	{
		Name: "second-recovery", Sentence: "From the second recovery on it sends the last missed event twice.",
		Source: slip, Level: contract.Recovery, Rule: contract.NoDuplicate, Scenario: "five-drops",
		New: restoring(func(n int, s *socket.Session) *socket.Session {
			if last := len(s.MissedPackets) - 1; n > 1 && last >= 0 {
				s.MissedPackets = append(slices.Clone(s.MissedPackets), s.MissedPackets[last])
			}
			return s
		}),
	},
	{
		Name: "ring-of-two", Sentence: "It keeps the newest two events.",
		Source: "a ring buffer that is too small", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "clean-drop",
		New: restoring(func(_ int, s *socket.Session) *socket.Session {
			s.MissedPackets = s.MissedPackets[max(0, len(s.MissedPackets)-2):]
			return s
		}),
	},
	{
		Name: "ring-of-a-hundred", Sentence: "It keeps the newest hundred events.",
		Source: "a ring buffer that is too small", Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "cut-in-missed-events",
		New: restoring(func(_ int, s *socket.Session) *socket.Session {
			s.MissedPackets = s.MissedPackets[max(0, len(s.MissedPackets)-100):]
			return s
		}),
	},
	{
		Name: "own-message-first", Sentence: "It sends a message to the page that sent it, and to the others 5 ms later, so pages show two orders.",
		Source: "an emit to the sender before the broadcast to the others", Level: contract.Recovery, Rule: contract.Agreement, Scenario: "drop-after-two-writers", New: OwnMessageFirst,
	},
	{
		Name: "recovers-backwards", Sentence: "It sends the missed events from the newest to the oldest.",
		Source: slip, Level: contract.Recovery, Rule: contract.Order, Scenario: "clean-drop",
		New: restoring(func(_ int, s *socket.Session) *socket.Session {
			s.MissedPackets = slices.Clone(s.MissedPackets)
			slices.Reverse(s.MissedPackets)
			return s
		}),
	},
	{
		Name: "recovers-from-next", Sentence: "It leaves out the first missed event.",
		Source: slip, Level: contract.Recovery, Rule: contract.NoLoss, Scenario: "clean-drop",
		New: restoring(func(_ int, s *socket.Session) *socket.Session {
			s.MissedPackets = s.MissedPackets[min(1, len(s.MissedPackets)):]
			return s
		}),
	},
	{
		Name: "recovers-into-left-rooms", Sentence: "A recovered page is again in a room that it had left, and is sent what is said there.",
		Source: "a session that notes each join and no leave", Level: contract.Recovery, Rule: contract.NoPhantom, Scenario: "clean-drop",
		New: restoring(func(_ int, s *socket.Session) *socket.Session {
			s.Rooms.Add("lobby")
			return s
		}, withLobby),
		Page: onConnect(`socket.emit(socket.recovered ? "to lobby" : "leave lobby", "for the lobby only");`),
	},
	{
		Name: "deaf-at-first", Sentence: "It listens to a connection some time after it has sent the open packet, and never hears what came before.",
		Source: "zishang520/socket.io 3.0.2", Level: contract.Recovery, Rule: contract.Convergence, Scenario: "connect-at-once", New: SlowHandshake,
		VirtualOnly: true, // the real lab gives up a run in which nobody gets a connection
	},
}

// restoring is the server of step 6 as published. It passes each restored session through
// change, with how often that session has been restored; change may return nil, which means
// that no session was found.
func restoring(change func(n int, s *socket.Session) *socket.Session, beside ...func(*socket.Server)) New {
	return func(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
		return recovering(options, around(func(inner socket.Adapter) socket.Adapter {
			return &restorer{Adapter: inner, change: change, times: map[socket.PrivateSessionId]int{}}
		}), beside...)
	}
}

// withLobby adds a room that each new page is in until it leaves it.
func withLobby(server *socket.Server) {
	_ = server.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		if !client.Recovered() {
			client.Join("lobby")
		}
		_ = client.On("leave lobby", func(...any) { client.Leave("lobby") })
		_ = client.On("to lobby", func(args ...any) { _ = server.To("lobby").Emit(contract.ChatEvent, args...) })
	})
}

type restorer struct {
	socket.Adapter
	change func(n int, s *socket.Session) *socket.Session
	mu     sync.Mutex
	times  map[socket.PrivateSessionId]int
}

func (r *restorer) RestoreSession(pid socket.PrivateSessionId, offset string) (*socket.Session, error) {
	session, err := r.Adapter.RestoreSession(pid, offset)
	if err != nil || session == nil {
		return session, err
	}
	r.mu.Lock()
	r.times[pid]++
	n := r.times[pid]
	r.mu.Unlock() // before change, which may sleep
	return r.change(n, session), nil
}
