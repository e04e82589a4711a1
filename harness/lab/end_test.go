package lab_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/check"
	"redial/harness/client/wire"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
)

// A backlog is a server that stores and emits each message at once, but those that begin with
// "backlog" only when its log is read: the first is stored at that moment and emitted a second
// later, together with the second. It may drop the first instead.
type backlog struct {
	drops bool

	mu     sync.Mutex
	server *socket.Server
	rows   []wire.Row
	read   bool
}

func (b *backlog) store(text string) (emit func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := int64(len(b.rows) + 1)
	b.rows = append(b.rows, wire.Row{Message: text, Offset: id})
	return func() { _ = b.server.Emit(contract.ChatEvent, text, id) }
}

func (b *backlog) handler(string) (http.Handler, io.Closer, error) {
	b.server = socket.NewServer(nil, nil)
	_ = b.server.On("connection", func(clients ...any) {
		_ = clients[0].(*socket.Socket).On(contract.ChatEvent, func(args ...any) {
			if text := args[0].(string); !strings.HasPrefix(text, "backlog") {
				b.store(text)()
			}
		})
	})
	return b.server.ServeHandler(nil), closer(func() error { b.server.Close(nil); return nil }), nil
}

func (b *backlog) readLog(context.Context, target.Target) ([]wire.Row, error) {
	b.mu.Lock()
	first := !b.read
	b.read = true
	b.mu.Unlock()
	if first {
		emit := b.store("backlog 1")
		time.AfterFunc(time.Second, func() {
			if !b.drops {
				emit()
			}
			b.store("backlog 2")()
		})
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]wire.Row(nil), b.rows...), nil
}

// What a server still has to do for a connection that has ended is neither lost nor unstored,
// if it is done. If not, it is lost.
func TestABacklogIsAwaitedAtTheEnd(t *testing.T) {
	p := plan.Plan{
		Seed: 1, Clients: clients(plan.Wire, nil, "alice", "bob"),
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.Send, Client: "alice", Text: "backlog", Count: 2},
			{Do: plan.Disconnect, Client: "alice"}, {Do: plan.AwaitDisconnected, Client: "alice"},
			{Do: plan.Connect, Client: "alice"}, {Do: plan.AwaitConnected},
		},
	}
	for drops, want := range map[bool]check.Outcome{false: check.Pass, true: check.Fail} {
		b := &backlog{drops: drops}
		run := play(t, b.handler, lab.Config{Level: contract.ServerDelivery, KeepsLog: true, ReadLog: b.readLog}, p)
		if run.Err != nil {
			t.Fatal(run.Err)
		}
		if v := check.Judge(run.Events); v.Outcome != want || drops && v.Rule() != contract.NoLoss {
			t.Errorf("drops %v: %s, want %s: %s", drops, v.Outcome, want, v.Reason)
		}
	}
}
