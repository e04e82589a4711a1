package lab_test

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/protocol"
	"redial/steps/cures/recovery"
)

// ticker is a server that emits a numbered message every 50 ms and handles no events. It emits
// a message whose number skip divides to the first client only.
func ticker(options func() *socket.ServerOptions, skip int) lab.Handler {
	return func(string) (http.Handler, io.Closer, error) {
		server, over := socket.NewServer(nil, options()), make(chan struct{})
		var first atomic.Pointer[socket.Socket]
		_ = server.On("connection", func(clients ...any) { first.CompareAndSwap(nil, clients[0].(*socket.Socket)) })
		go func() {
			every := time.NewTicker(50 * time.Millisecond)
			defer every.Stop()
			for n := 1; ; n++ {
				select {
				case <-every.C:
				case <-over:
					return
				}
				if one := first.Load(); skip > 0 && n%skip == 0 && one != nil {
					_ = one.Emit(contract.ChatEvent, fmt.Sprint("tick ", n))
					continue
				}
				_ = server.Emit(contract.ChatEvent, fmt.Sprint("tick ", n))
			}
		}()
		return server.ServeHandler(nil), closer(func() error { close(over); server.Close(nil); return nil }), nil
	}
}

type closer func() error

func (c closer) Close() error { return c() }

// A server that emits messages by itself is judged by the same rules: a message that it emits
// during a short disconnection arrives later with recovery, and is lost without.
func TestAServerThatEmitsByItself(t *testing.T) {
	p := plan.Plan{
		Seed: 1, Clients: clients(plan.Wire, nil, "alice", "bob"),
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.Send, Client: "alice", Text: "before", Count: 3}, {Do: plan.AwaitShown, Client: "bob", Text: "before 3"},
			{Do: plan.Barrier},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Outage, Client: "bob"}}, {Do: plan.AwaitDisconnected, Client: "bob"},
			{Do: plan.Send, Client: "alice", Text: "meanwhile", Count: 20},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Heal, Client: "bob"}}, {Do: plan.AwaitConnected, Client: "bob"},
			{Do: plan.StartSending, Client: "alice", Text: "and on"}, {Do: plan.Wait, For: plan.Duration(time.Second)}, {Do: plan.StopSending, Client: "alice"},
		},
	}
	recovers := func() *socket.ServerOptions {
		options := socket.DefaultServerOptions()
		(&recovery.Builder{Takeover: true, OffsetEvent: "offset"}).Apply(options)
		return options
	}
	for name, c := range map[string]struct {
		options func() *socket.ServerOptions
		skip    int
		level   contract.Level
		want    check.Outcome
	}{
		"at its own level":               {socket.DefaultServerOptions, 0, contract.Basic, check.Pass},
		"with recovery":                  {recovers, 0, contract.Recovery, check.Pass},
		"without it":                     {socket.DefaultServerOptions, 0, contract.Recovery, check.Fail},
		"and some go to one client only": {socket.DefaultServerOptions, 10, contract.Basic, check.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			config := lab.Config{Level: c.level, OwnRecovery: true, Protocol: &protocol.Protocol{Receive: protocol.Receive{Event: contract.ChatEvent}}}
			run := play(t, ticker(c.options, c.skip), config, p)
			v := check.Judge(run.Events)
			if run.Err != nil || v.Outcome != c.want || c.want == check.Fail && v.Rule() != contract.NoLoss {
				t.Errorf("%v: %s by %q, want %s: %s", run.Err, v.Outcome, v.Rule(), c.want, v.Reason)
			}
		})
	}
}
