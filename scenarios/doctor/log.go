package doctor

import (
	"context"
	"strconv"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/network/paths"
)

// repeat sends a message twice with the same idempotency key, as a client does whose
// acknowledgement was lost. Two clients with the same random seed draw the same key.
func (x *examination) repeat(ctx context.Context) bool {
	x.doing("sending a message twice")
	if x.p.Send == nil {
		return true
	}
	if x.server.Protocol != nil && !x.p.SendsKeys() {
		x.found(Key, Lacking, "send a key with each message that stays the same when it is sent again, and name its place: {{key}} in socket.send.args", "messages have no key by which the server could know one again")
		return true
	}
	text := x.text("twice")
	from := x.bob.count()
	for range 2 {
		w := x.client("erin", "bob", func(o *client.Options) { o.Seed, o.SeedKeys = seedOf(x.mark), true })
		w.Keys = true
		entered := x.enter(ctx, w) && w.Send(text) == nil
		if entered {
			// Normally one of the two events arrives, but a server may acknowledge only the second
			// attempt.
			w.await(ctx, 0, replayWithin, func(e entry) bool { return e.Kind == history.Acknowledged || e.Kind == history.Refused })
		}
		_ = w.Close()
		if !entered {
			x.found(Key, Lacking, "see what the server prints", "a message with a key cannot be sent%s: did the server end at the first?", oneLine(w.lastNote()))
			return true
		}
	}
	_, arrived := x.bob.await(ctx, from, replayWithin, x.bob.brings(text))
	x.bob.await(ctx, x.bob.count(), quiet, func(entry) bool { return false })
	times := len(x.bob.received([]string{text}))
	switch {
	case !arrived:
		x.found(Key, Lacking, "take the key as one more argument of the message", "a message with a key does not arrive")
	case times > 1:
		x.found(Key, Lacking, "store the key with the message in a UNIQUE column, and acknowledge one that is there without storing it again", "a message that is sent twice with the same key arrives %d times", times)
	default:
		x.found(Key, Good, "", "a message that is sent twice with the same key arrives once")
	}
	return true
}

// seedOf derives a random seed from a mark.
func seedOf(mark string) uint64 {
	n, _ := strconv.ParseUint(mark, 36, 64) // any other mark gives the seed 0
	return n
}

// readLog reads the stored messages in the same way as a check.
func (x *examination) readLog(ctx context.Context) bool {
	const fix = "add a section log to redial.yaml (`redial explain log`): without one, a check sees what is stored only through a new client"
	if x.server.ReadLog == nil {
		if x.report.good(Backlog) {
			x.found(Log, Good, "", "the log is read through a new client; no section log is needed")
		} else {
			x.found(Log, Lacking, fix, "the stored messages cannot be read")
		}
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	rows, err := x.server.ReadLog(ctx, x.under)
	if err != nil {
		x.found(Log, Lacking, "see `redial explain log`", "%s", oneLine(err.Error()))
		return true
	}
	var texts []string
	for _, row := range rows {
		texts = append(texts, row.Message)
	}
	if stored := count(texts, x.texts); stored < len(x.texts) {
		x.found(Log, Lacking, "see `redial explain log`: does it read where the server stores?", "the log has %d of the %d messages that were sent", stored, len(x.texts))
		return true
	}
	x.found(Log, Good, "", "the log can be read: %d messages", len(rows))
	return true
}

func (x *examination) leave() {
	for _, w := range []*witness{x.alice, x.bob} {
		if w != nil {
			_ = w.Close()
		}
	}
}

// machine reports which networks a check can use on this machine.
func (x *examination) machine() {
	switch {
	case !network.HasLoopbackNetwork():
		x.found(Machine, Lacking, "on macOS: `sudo ifconfig lo0 alias 127.1.1.1`, and so on", "this machine has one loopback address, so a switch of networks keeps its source address")
	case paths.Available() != nil:
		x.found(Machine, Good, "", "this machine: source addresses for a switch of networks; no network namespaces (they need root on Linux)")
	default:
		x.found(Machine, Good, "", "this machine: source addresses for a switch of networks, and network namespaces")
	}
}
