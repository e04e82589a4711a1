package runner

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/network/paths"
	"redial/harness/protocol"
	"redial/harness/target"
	"redial/scenarios/servers"
)

// pageWorks checks that a page can load the server's client library, connect, and show a
// message. Like the pages of a run it is loaded over a link, whose address its Origin has.
func pageWorks(ctx context.Context, server servers.Server, under target.Target) (err error) {
	proxy, err := network.NewProxy(under.Address(), network.Events{})
	if err != nil {
		return err
	}
	defer proxy.Close()
	link, err := proxy.Link("alice")
	if err != nil {
		return err
	}
	config := servers.ConfigOf(server)
	seen := history.NewRecorder()
	defer func() { err = orDisconnected(ctx, under, seen, err) }()
	p := page.New(client.Options{
		Name: "alice", Other: "bob", URL: "http://" + link.Address(), Record: few(seen),
		HTML: config.HTML, Bundle: config.Bundle, Protocol: config.Protocol,
	}, nil)
	defer p.Close()
	opening, cancel := context.WithTimeoutCause(ctx, AnswerWithin, fmt.Errorf("it was not loaded within %s", AnswerWithin))
	defer cancel()
	if err := p.Open(opening); err != nil {
		return fmt.Errorf("%s has no page that works: %s; a browser would load the client library from it, so look at what it serves at /socket.io/socket.io.js", under, oneLine(err.Error()))
	}
	if err := await(ctx, seen, func(e history.Event) bool { return e.Kind == history.Connected }); err != nil {
		differs := fmt.Sprintf("a page sends the header \"Origin: http://%s\", whose port changes: does the server refuse it (cors, allowRequest)?", link.Address())
		if speaks := config.Protocol; speaks != nil && len(speaks.Headers) > 0 && speaks.Takes(protocol.WebSocket) {
			differs += "; and a page cannot set headers on a WebSocket: if the server needs them, write `transports: [polling]` below socket in redial.yaml"
		}
		return fmt.Errorf("%s lets a client connect, but not a page (%w)%s: %s", under, err, firstNote(seen), differs)
	}
	if speaks := config.Protocol; speaks != nil && len(speaks.Awaited()) > 0 {
		return nil // a message may wait for another user, who is not there
	}
	text := fmt.Sprintf("%s is shown %x", marker, time.Now().UnixNano())
	if err := p.Send(text); err != nil {
		return fmt.Errorf("%s has no page that works: %s", under, oneLine(err.Error()))
	}
	if err := await(ctx, seen, func(e history.Event) bool { return e.Kind == history.Shown && e.Message == text }); err != nil {
		return fmt.Errorf("%s took a message from a page, which did not show it (%w)%s: look at what it emits to pages", under, err, firstNote(seen))
	}
	return nil
}

// ownPageWorks checks that a message from one user of the application's own page is shown to
// another.
func ownPageWorks(ctx context.Context, server servers.Server, under target.Target) (err error) {
	seen := history.NewRecorder()
	defer func() { err = orDisconnected(ctx, under, seen, err) }()
	var pages []client.Client
	defer func() {
		for _, p := range pages {
			p.Close()
			client.Discard(p)
		}
	}()
	for _, name := range [][2]string{{"alice", "bob"}, {"bob", "alice"}} {
		p, err := server.NewPage(client.Options{Name: name[0], Other: name[1], URL: "http://" + under.Address(), Record: few(seen)}, nil)
		if err != nil {
			return err
		}
		pages = append(pages, p)
		if err := p.Open(ctx); err != nil {
			return fmt.Errorf("%s has no page that works as redial.yaml says under page: %s%s", under, oneLine(err.Error()), firstNote(seen))
		}
		if err := await(ctx, seen, func(e history.Event) bool { return e.Kind == history.Connected && e.Client == name[0] }); err != nil {
			if why := lastNote(seen, refused); why != "" {
				return fmt.Errorf("the server refuses the Socket.IO connection of the page of %s (%w)%s: does the page connect only after a login that page.enter leaves out?", under, err, why)
			}
			return fmt.Errorf("the page of %s opens no Socket.IO connection (%w)%s: does it connect only after something that page.enter leaves out?", under, err, firstNote(seen))
		}
	}
	if server.Protocol != nil && server.Protocol.Send == nil {
		return nil
	}
	text := fmt.Sprintf("%s is shown %x", marker, time.Now().UnixNano())
	if err := pages[0].Send(text); err != nil {
		return fmt.Errorf("a message cannot be sent on the page of %s: %s", under, oneLine(err.Error()))
	}
	for _, name := range []string{"alice", "bob"} {
		if err := await(ctx, seen, func(e history.Event) bool { return e.Kind == history.Shown && e.Client == name && e.Message == text }); err != nil {
			return fmt.Errorf("what alice sent on the page of %s is not shown on the page of %s (%w)%s: does page.messages select the elements whose text is the message, and page.without what else they contain?", under, name, err, firstNote(seen))
		}
	}
	return nil
}

// pageOpensOverPaths checks that the application's own page, which works on loopback, also opens in
// a network namespace: only this machine is there, and not at 127.0.0.1.
func pageOpensOverPaths(ctx context.Context, server servers.Server, under target.Target) error {
	space, err := paths.New()
	if err != nil {
		return err
	}
	defer func() { _ = space.Close() }() // the guard or the next process removes what is left
	proxy, err := network.NewProxy(under.Address(), network.Events{})
	if err != nil {
		return err
	}
	defer proxy.Close()
	link, err := proxy.LinkOver("alice", space)
	if err != nil {
		return err
	}
	seen := history.NewRecorder()
	p, err := server.NewPage(client.Options{Name: "alice", Other: "bob", URL: "http://" + link.Address(), Record: few(seen), Within: space.Command()}, nil)
	if err != nil {
		return err
	}
	defer func() {
		p.Close()
		client.Discard(p)
	}()
	if err = p.Open(ctx); err == nil {
		err = await(ctx, seen, func(e history.Event) bool { return e.Kind == history.Connected })
	}
	if err != nil {
		return fmt.Errorf("with --real-network, the page of %s does not work, and without it does: %s%s; a network namespace reaches this machine at its other addresses than 127.0.0.1, and no other machine: have the target serve the page and its scripts, or write an address of this machine in page.url", under, oneLine(err.Error()), firstNote(seen))
	}
	return nil
}

// refused begins the note about a connection that the server refuses.
const refused = "connect_error: "

// firstNote is the first note of a page; later ones may be consequences of it.
func firstNote(seen *history.Recorder) string {
	for _, e := range seen.Events(0) {
		if e.Kind == history.Note {
			return ": " + oneLine(e.Detail)
		}
	}
	return lastNote(seen, "")
}

// marker begins each message that Preflight sends.
const marker = "redial asks whether this"

// mostOthers bounds the messages of other senders that Preflight records.
const mostOthers = 100

// few records the events that Preflight waits for, and a bounded number of other messages,
// since a server may send without end.
func few(seen *history.Recorder) func(history.Event) {
	var others atomic.Int64
	return func(e history.Event) {
		if e.Kind == history.Repeated || e.Kind == history.Shown && !strings.HasPrefix(e.Message, marker) {
			switch n := others.Add(1); {
			case n == mostOthers:
				seen.Add(history.Event{Kind: history.Note, Client: e.Client, Detail: "it is sent many messages that nobody sent, or an old log"})
				return
			case n > mostOthers:
				return
			}
		}
		seen.Add(e)
	}
}

// oneLine shortens a text of the server, which may contain anything, for an error of one line.
func oneLine(text string) string { return target.LastLine(strings.Join(strings.Fields(text), " ")) }
