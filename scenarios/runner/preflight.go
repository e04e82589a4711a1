package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/protocol"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/servers"
)

// AnswerWithin bounds each answer in Preflight: on a machine with ten busy processes for each
// processor, an answer has taken over 5 s. A test of servers that never answer shortens it.
var AnswerWithin = 15 * time.Second

// Preflight checks within seconds that a server which is not the kit's has the protocol of the
// tutorial or of its redial.yaml: it answers HTTP, two Socket.IO clients connect, and one
// receives a message of the other; then the same for a page. The error is one line that
// tells what is missing and how to fix it. If the heartbeat cannot be set, Preflight stores
// the server's own in server.
func Preflight(ctx context.Context, server *servers.Server) (err error) {
	under, err := server.Server.Target(servers.Asked)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, under.Close()) }()
	starting, cancel := context.WithTimeout(ctx, server.StartWithin())
	defer cancel()
	if err := under.Start(starting); err != nil {
		return fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
	}
	server.CameUp = true
	p := protocol.Tutorial()
	if server.Protocol != nil {
		p = *server.Protocol
	}
	takes := make(chan time.Duration, 1)
	asking, stop := context.WithTimeout(ctx, AnswerWithin)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer stop()
	asked.Go(func() { // beside the rest: a server that hangs is waited for once
		found, _ := wire.Heartbeat(asking, client.Options{Name: "alice", Other: "bob", URL: "http://" + under.Address(), Protocol: server.Protocol}) // 0 on an error
		takes <- min(found, time.Hour)
	})
	if err := speaks(ctx, server, under, p); err != nil {
		return err
	}
	if found := <-takes; found > 0 && found != time.Duration(servers.Asked.PingInterval+servers.Asked.PingTimeout) {
		server.Untuned, server.Heartbeat = true, found
	}
	return nil
}

// speaks checks that clients and then a page exchange messages. It stores in server that
// messages arrive with an offset.
func speaks(ctx context.Context, server *servers.Server, under target.Target, p protocol.Protocol) error {
	if server.NewPage != nil {
		err := ownPageWorks(ctx, *server, under)
		if err == nil && server.RealNetwork {
			err = pageOpensOverPaths(ctx, *server, under)
		}
		return err
	}
	numbered, err := exchange(ctx, *server, under, p)
	if err != nil {
		return err
	}
	if numbered || p.Receive.Opaque {
		if err := server.KeepsOffset(); err != nil {
			return err
		}
	}
	if p.Send == nil || p.Pairwise() { // one page shows no message then
		return nil
	}
	return pageWorks(ctx, *server, under)
}

// exchange connects two clients and has one of them send a message. numbered tells whether
// messages arrive with an offset.
func exchange(ctx context.Context, server servers.Server, under target.Target, p protocol.Protocol) (numbered bool, err error) {
	seen := history.NewRecorder()
	defer func() { err = orDisconnected(ctx, under, seen, err) }()
	var clients []*wire.Client
	for _, name := range [][2]string{{"alice", "bob"}, {"bob", "alice"}} {
		c := wire.New(client.Options{Name: name[0], Other: name[1], URL: "http://" + under.Address(), Record: few(seen), Protocol: server.Protocol})
		c.Keys = servers.ConfigOf(server).Keys
		var joined atomic.Bool
		c.OnPacket = func(p *parser.Packet) {
			if fields, _ := p.Data.(map[string]any); p.Type == parser.CONNECT && fields["sid"] != nil {
				joined.Store(true)
			}
		}
		defer c.Close()
		if err := c.Open(ctx); err != nil {
			return false, err
		}
		if err := await(ctx, seen, func(e history.Event) bool { return e.Kind == history.Connected && e.Client == name[0] }); err != nil {
			if joined.Load() && len(p.Enter) > 0 {
				return false, fmt.Errorf("%s let a client connect, but socket.enter did not come to its end (%w)%s: does the server send what it awaits?", under, err, lastNote(seen, ""))
			}
			return false, fmt.Errorf("%s accepts connections, but no Socket.IO client can connect on the path %s and the namespace %s (%w)%s: does the chat listen there, and let anybody in? (redial doctor looks closer)",
				under, p.EnginePath(), cmp.Or(p.Namespace, "/"), err, lastNote(seen, ""))
		}
		clients = append(clients, c)
	}
	if p.Send == nil {
		if err := await(ctx, seen, func(e history.Event) bool { return e.Kind == history.Shown }); err != nil {
			return false, fmt.Errorf("%s emitted no %q within %s, and redial.yaml has no send: the server has to emit messages by itself then", under, p.Receive.Event, AnswerWithin)
		}
		return hasOffset(seen), nil
	}
	text := fmt.Sprintf("%s arrives %x", marker, time.Now().UnixNano())
	if err := clients[0].Send(text); err != nil {
		return false, err
	}
	arrived := func(at string) func(history.Event) bool {
		return func(e history.Event) bool { return e.Kind == history.Shown && e.Client == at && e.Message == text }
	}
	if err := await(ctx, seen, arrived("bob")); err != nil {
		for _, e := range seen.Events(0) {
			if e.Kind == history.Shown && e.Client == "bob" && strings.Contains(e.Message, text) {
				return false, fmt.Errorf("%s sent the message %q as %q: the text has to be a value of its own, which socket.receive.text selects", under, text, e.Message)
			}
		}
		return false, fmt.Errorf("%s took a message and another client did not receive it (%w)%s: the chat has to emit %q with the text at %s to every other client in the namespace %s (redial doctor lists what that received)", under, err, lastNote(seen, ""), p.Receive.Event, cmp.Or(p.Receive.Text, "$"), cmp.Or(p.Namespace, "/"))
	}
	counts := server.Protocol != nil && !p.Receive.Opaque && (server.Level.AtLeast(contract.ServerDelivery) || p.NamesOffset())
	for _, e := range seen.Events(0) {
		if e.Kind == history.Shown && counts && e.Offset > protocol.Exact {
			return false, fmt.Errorf("%s sends offsets such as %d, which JavaScript cannot count exactly (2^53 is the limit): say `opaque: true` below socket.receive in redial.yaml, so that clients hand them back as they came", under, e.Offset)
		}
	}
	if p.NoEcho {
		return hasOffset(seen), logged(ctx, server, under, text)
	}
	if err := await(ctx, seen, arrived("alice")); err != nil {
		return false, fmt.Errorf("%s did not send a message back to its sender (%w)%s: it has to emit %q to every client, or redial.yaml has to say `echo: false`", under, err, lastNote(seen, ""), p.Receive.Event)
	}
	return hasOffset(seen), logged(ctx, server, under, text)
}

// logged checks that the message is in the log, if redial.yaml describes how to read it.
func logged(ctx context.Context, server servers.Server, under target.Target, text string) error {
	if server.ReadLog == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, AnswerWithin)
	defer cancel()
	rows := 0
	for {
		read, err := server.ReadLog(ctx, under)
		switch {
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("%s: the stored messages cannot be read: %w", server.File, err)
		case slices.ContainsFunc(read, func(r wire.Row) bool { return r.Message == text }):
			return nil
		case err == nil:
			rows = len(read)
		}
		select { // a server may store a message after it has emitted it
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s: log: it has %d messages, and within %s not the one that was sent and received: does it name the right place, and the whole text?", server.File, rows, AnswerWithin)
		}
	}
}

// hasOffset tells whether a message was shown with an offset.
func hasOffset(seen *history.Recorder) bool {
	return slices.ContainsFunc(seen.Events(0), func(e history.Event) bool { return e.Kind == history.Shown && e.Offset != 0 })
}

// orDisconnected is the error, or its cause if the server has disconnected a client last. Alice sends
// the message.
func orDisconnected(ctx context.Context, under target.Target, seen *history.Recorder, err error) error {
	if err == nil || ctx.Err() != nil || lastNote(seen, "") != ": "+wire.ServerDisconnect {
		return err
	}
	has := func(client string, kind history.Kind) bool {
		return slices.ContainsFunc(seen.Events(0), func(e history.Event) bool { return e.Client == client && e.Kind == kind })
	}
	if has("alice", history.Sent) && !has("bob", history.Disconnected) {
		return fmt.Errorf("%s disconnects a client that has sent a message: does the application's page send the same (socket.send)?", under)
	}
	return fmt.Errorf("%s disconnects a client after it has connected: what does it want to let a client in: a login (enter), or socket.auth, query or headers?", under)
}

// lastNote is the last note of a client that begins with the prefix, such as the reason of a
// connect error. A disconnection that a later connection has made good is none.
func lastNote(seen *history.Recorder, prefix string) (note string) {
	whose := ""
	for _, e := range seen.Events(0) {
		switch {
		case (e.Kind == history.Note || e.Kind == history.Disconnected) && strings.HasPrefix(e.Detail, prefix):
			note, whose = ": "+oneLine(e.Detail), e.Client
		case e.Kind == history.Connected && e.Client == whose && note == ": "+wire.ServerDisconnect:
			note = ""
		}
	}
	return note
}

// HeartbeatWaits announces in one line how long the rows take that wait for a heartbeat which
// cannot be set. It is empty if there are none.
func HeartbeatWaits(server servers.Server, rows []catalogue.Scenario) string {
	if server.Heartbeat == 0 {
		return ""
	}
	waiting := 0
	for _, s := range rows {
		if waitsForHeartbeat(server, s.Plan(1)) && Unplayable(s, server) == "" {
			waiting++
		}
	}
	if waiting == 0 {
		return ""
	}
	return fmt.Sprintf("The server's heartbeat is %s and cannot be set (%s, %s): the %d scenarios that wait for it are played last and take up to %s; --time-limit bounds that.",
		server.Heartbeat, contract.EnvPingInterval, contract.EnvPingTimeout, waiting, (time.Duration(waiting) * server.Heartbeat).Round(time.Second))
}

// waitsForHeartbeat tells whether the plan needs a short heartbeat that the server does not take.
func waitsForHeartbeat(server servers.Server, p plan.Plan) bool {
	return server.Heartbeat > 0 && p.Tuning.PingInterval > 0
}

// await waits for an event, for at most AnswerWithin.
func await(ctx context.Context, seen *history.Recorder, is func(history.Event) bool) error {
	bound := time.NewTimer(AnswerWithin)
	defer bound.Stop()
	for from := 0; ; {
		changed := seen.Changed()
		for _, e := range seen.Events(from) {
			from++
			if is(e) {
				return nil
			}
		}
		select {
		case <-changed:
		case <-bound.C:
			return fmt.Errorf("waited %s", AnswerWithin)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
