package lab

import (
	"errors"
	"sync"
	"testing"

	"redial/harness/client"
	"redial/harness/plan"
)

// A noPage is a client whose page is closed.
type noPage struct{ client.Client }

func (noPage) Status() client.Status { return client.Status{} }
func (noPage) Send(string) error     { return client.ErrNotOpen }
func (noPage) Close() error          { return nil }

// The script closes a page that sends in the background. The race detector sees what they share.
func TestPageIsClosedWhileItSends(t *testing.T) {
	alice := &participant{Client: noPage{}}
	l := &player{setting: &setting{recorder: newRecorder(Config{}), ctx: t.Context(), clients: map[string]*participant{"alice": alice}}}
	var sending sync.WaitGroup
	sending.Go(func() {
		if err := alice.send(plan.Send, "hello"); !errors.Is(err, client.ErrNotOpen) {
			t.Error(err)
		}
	})
	if err := l.do(plan.Step{Do: plan.Close, Client: "alice"}); err != nil {
		t.Error(err)
	}
	sending.Wait()
}

func TestFailureInTheBackgroundEndsARunWithoutALog(t *testing.T) {
	l := newPlayer(t.Context(), Config{}, plan.Plan{}, newHandlerTarget(nil, nil, nil))
	failure := errors.New("alice sends in the background: no")
	l.fail(failure)
	if err := l.ending.finishStory(); !errors.Is(err, failure) {
		t.Errorf("the error is %v", err)
	}
}
