package chattest

import (
	"fmt"
	"sync"
	"testing"

	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// ClientDelivery tests that a message that is resent with its idempotency key is stored and
// emitted once.
func ClientDelivery(t *testing.T, step New) {
	t.Run("a repeat is acknowledged and not stored again", func(t *testing.T) { repeat(t, step) })
	t.Run("repeats on several connections at once", func(t *testing.T) { repeats(t, step) })
	t.Run("a failed query is no acknowledgement", func(t *testing.T) { failedQueriesOfAMessage(t, step) })
}

func repeat(t *testing.T, step New) {
	s := Start(t, step, serve.Settings{})
	ann, bob := rawclient.Connect(t, s.URL, nil), rawclient.Connect(t, s.URL, nil)
	for i, sender := range []*rawclient.Client{ann, ann, bob} {
		answer, err := sender.Ask("chat message", "once", "key")
		if err != nil || answer["offset"] != float64(1) || answer["error"] != nil {
			t.Errorf("attempt %d is answered by %v, %v, want offset 1", i+1, answer, err)
		}
	}
	// The same key with another text is an error of the sender. An acknowledgement would lose
	// the text silently.
	answer, err := ann.Ask("chat message", "something else", "key")
	if err != nil || answer["error"] == nil {
		t.Errorf("another text with the key is answered by %v, %v, want an error", answer, err)
	}
	// Messages without a key are never retries.
	for range 2 {
		if answer, err := ann.Ask("chat message", "no key"); err != nil || answer["error"] != nil {
			t.Errorf("without a key the answer is %v, %v", answer, err)
		}
	}
	s.Stop()
	s = Start(t, step, serve.Settings{DataDir: s.Folder})
	cem := rawclient.Connect(t, s.URL, nil)
	if answer, err := cem.Ask("chat message", "once", "key"); err != nil || answer["offset"] != float64(1) {
		t.Errorf("after a restart the repeat is answered by %v, %v, want offset 1", answer, err)
	}
	Send(t, cem, "the end")
	if err := ReceiveAfter(cem, 0, "once", "no key", "no key", "the end"); err != nil {
		t.Error(err)
	}
}

// Retries must be recognised while they race with the first attempt, with other messages and
// with pages that connect.
func repeats(t *testing.T, step New) {
	Slow(t)
	const senders, each = 6, 60
	s := Start(t, step, serve.Settings{ReplayPage: 7})
	reader := rawclient.Connect(t, s.URL, Offset(0))
	var texts []string
	for i := range each {
		texts = append(texts, fmt.Sprint("message ", i)) // all senders send the same messages with the same keys
	}
	var work sync.WaitGroup
	for n := range senders {
		sender := rawclient.Connect(t, s.URL, Offset(0))
		work.Go(func() {
			for _, text := range texts {
				if err := send(sender, text, text); err != nil {
					t.Errorf("sender %d: %v", n, err)
					return
				}
			}
			if err := ReceiveAfter(sender, 0, texts...); err != nil {
				t.Errorf("sender %d: %v", n, err)
			}
			late, err := rawclient.Dial(t, s.URL, Offset(0))
			if err == nil {
				err = ReceiveAfter(late, 0, texts...)
			}
			if err != nil {
				t.Errorf("sender %d as a late reader: %v", n, err)
			}
		})
	}
	work.Wait()
	if err := ReceiveAfter(reader, 0, texts...); err != nil {
		t.Error(err)
	}
	if got := s.Stored(t); len(got) != each {
		t.Errorf("%d messages are stored, want %d", len(got), each)
	}
}
