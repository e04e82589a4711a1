package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/servers"
)

const (
	// startWithin bounds the start of a server in Preflight, answerWithin each answer.
	startWithin  = lab.DefaultBound
	answerWithin = 5 * time.Second
)

// Preflight finds out in a few seconds whether a server that is not ours speaks as the kit
// does at all: it answers HTTP, a Socket.IO client connects, and a message comes back.
// The error is one line that says what is missing and what to do.
func Preflight(ctx context.Context, subject servers.Subject) (err error) {
	under, err := subject.Server.Target(plan.Tuning{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, under.Close()) }()
	starting, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	if err := under.Start(starting); err != nil {
		return fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
	}
	seen := history.NewRecorder()
	c := wire.New(client.Options{Name: "preflight", URL: "http://" + under.Address(), Record: seen.Add})
	c.Keys = servers.ConfigOf(subject).Keys
	defer c.Close()
	if err := c.Open(ctx); err != nil {
		return err
	}
	if err := await(ctx, seen, func(e history.Event) bool { return e.Kind == history.Connected }); err != nil {
		return fmt.Errorf("%s answers HTTP, but no Socket.IO client can connect on the path /socket.io/ and the namespace / (%w): does the chat listen there, and let anybody in?", under, err)
	}
	text := fmt.Sprintf("redial asks whether this comes back %x", time.Now().UnixNano())
	if err := c.Say(text); err != nil {
		return err
	}
	if err := await(ctx, seen, func(e history.Event) bool { return e.Kind == history.Shown && e.Message == text }); err != nil {
		return fmt.Errorf("%s took a message and it did not come back (%w): the chat has to emit %q to everyone who is connected, the sender included", under, err, contract.ChatEvent)
	}
	return nil
}

// await waits for an event, at most as long as an answer may take.
func await(ctx context.Context, seen *history.Recorder, is func(history.Event) bool) error {
	bound := time.NewTimer(answerWithin)
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
			return fmt.Errorf("waited %s", answerWithin)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
