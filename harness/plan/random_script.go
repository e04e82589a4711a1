package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// ScriptConfig says what [RandomScript] draws from. The zero value is ready to use.
type ScriptConfig struct {
	// Pages and Wires are how many clients there are of each kind. With both zero
	// there are two pages and a wire client.
	Pages, Wires int
	// Transports are the lists to draw each client's transports from. None means
	// websocket only.
	Transports [][]string
	// Moves is how many things are done, each of a few steps. Zero means 12.
	Moves int
	// Retries makes the wire clients retry until they get an acknowledgement.
	Retries bool
	// KeepServer leaves the server alone.
	KeepServer bool
	// KeepPages loads no page again.
	KeepPages bool
	// Longest bounds what has a time: a silence, a wait. Zero means DefaultLongest.
	Longest Duration
}

// RandomScript returns a plan without armed faults, drawn with the seed, which is
// the seed of the run too. The same seed and config give the same plan. Every
// client's page is opened; by the end the server is up, what was broken is healed
// or heals by itself, no client sends in the background, and every client
// has been awaited. No text is sent twice.
func RandomScript(seed uint64, config ScriptConfig) Plan {
	if config.Pages <= 0 && config.Wires <= 0 {
		config.Pages, config.Wires = 2, 1
	}
	if config.Moves <= 0 {
		config.Moves = 12
	}
	if config.Longest <= 0 {
		config.Longest = DefaultLongest
	}
	w := &scriptWriter{
		config:  config,
		random:  rand.New(rand.NewPCG(seed, 's')),
		plan:    Plan{Seed: seed},
		sending: map[string]bool{},
	}
	w.invite()
	w.open()
	moves := w.moves()
	for range config.Moves {
		moves[w.random.IntN(len(moves))]()
	}
	w.finish()
	return w.plan
}

// scriptWriter writes a script move by move. Each move leaves a state in which
// any other may follow.
type scriptWriter struct {
	config  ScriptConfig
	random  *rand.Rand
	plan    Plan
	absent  []string // who has no page open yet
	present []string
	sending map[string]bool
	sent    int
}

var pageNames = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"}

func (w *scriptWriter) invite() {
	for n := range max(0, w.config.Pages) {
		name := pageNames[n%len(pageNames)]
		if round := n / len(pageNames); round > 0 {
			name = fmt.Sprintf("%s-%d", name, round+1)
		}
		w.inviteOne(Client{Name: name})
	}
	for n := range max(0, w.config.Wires) {
		delay := between(w.random, 5, Duration(time.Second))
		w.inviteOne(Client{Name: fmt.Sprintf("wire-%d", n+1), Kind: Wire, ReconnectDelay: delay, Retries: w.config.Retries})
	}
}

func (w *scriptWriter) inviteOne(c Client) {
	if choices := w.config.Transports; len(choices) > 0 {
		c.Transports = slices.Clone(choices[w.random.IntN(len(choices))])
	}
	w.plan.Clients = append(w.plan.Clients, c)
	w.absent = append(w.absent, c.Name)
}

// moves lists what may be done next; what is there twice is done twice as often.
func (w *scriptWriter) moves() []func() {
	moves := []func(){
		w.send, w.send, w.send, w.send, w.send, w.send, w.startOrStop, w.startOrStop,
		w.open, w.breakOnce, w.breakOnce, w.breakForAWhile, w.outage, w.leave,
		w.barrier, w.wait,
	}
	if !w.config.KeepPages {
		moves = append(moves, w.refresh)
	}
	if !w.config.KeepServer {
		moves = append(moves, w.restart)
	}
	return moves
}

func (w *scriptWriter) do(steps ...Step) { w.plan.Script = append(w.plan.Script, steps...) }

func (w *scriptWriter) anyone() string { return w.present[w.random.IntN(len(w.present))] }

// open opens one more page, if there is any.
func (w *scriptWriter) open() {
	if len(w.absent) == 0 {
		return
	}
	who := w.absent[0]
	w.absent = w.absent[1:]
	w.present = append(w.present, who)
	w.do(Step{Do: Open, Client: who}, Step{Do: AwaitConnected, Client: who})
}

func (w *scriptWriter) send() {
	who := w.anyone()
	w.do(Step{Do: Send, Client: who, Text: w.text(who), Count: 1 + w.random.IntN(5)})
}

// meanwhile sends up to two messages in the middle of a move.
func (w *scriptWriter) meanwhile() {
	for range w.random.IntN(3) {
		w.send()
	}
}

// text is a text of its own, which what is counted after it keeps apart too.
func (w *scriptWriter) text(who string) string {
	w.sent++
	return fmt.Sprintf("%s %d", who, w.sent)
}

// startOrStop makes a client start to send in the background, or stop. The number of
// messages is bounded, because a fake clock may jump ahead by a long time.
func (w *scriptWriter) startOrStop() {
	who := w.anyone()
	if w.sending[who] {
		w.stop(who)
		return
	}
	w.sending[who] = true
	every := between(w.random, 1, Duration(200*time.Millisecond))
	w.do(Step{Do: StartSending, Client: who, Text: w.text(who), Every: every, Count: 5 + w.random.IntN(36)})
}

func (w *scriptWriter) stop(who string) {
	if w.sending[who] {
		delete(w.sending, who)
		w.do(Step{Do: StopSending, Client: who})
	}
}

func (w *scriptWriter) refresh() {
	who := w.anyone()
	w.stop(who) // during the refresh there is no page to send from
	w.do(Step{Do: AwaitConnected, Client: who}, Step{Do: Refresh, Client: who})
	if w.random.IntN(2) == 0 {
		w.meanwhile()
	}
	w.do(Step{Do: AwaitConnected, Client: who})
}

// breakOnce ends somebody's connection. It is awaited before, for there must be
// one to end.
func (w *scriptWriter) breakOnce() {
	who := w.anyone()
	kind := []FaultKind{Cut, Reset, HalfOpen, Switch}[w.random.IntN(4)]
	w.do(Step{Do: AwaitConnected, Client: who}, w.breaks(Fault{Kind: kind, Client: who}),
		Step{Do: AwaitDisconnected, Client: who})
	w.meanwhile()
	w.do(Step{Do: AwaitConnected, Client: who})
}

func (w *scriptWriter) breaks(f Fault) Step { return Step{Do: Break, Fault: &f} }

// breakForAWhile breaks somebody's link in a way that heals by itself.
func (w *scriptWriter) breakForAWhile() {
	f := Fault{Client: w.anyone(), For: between(w.random, 1, w.config.Longest)}
	switch w.random.IntN(3) {
	case 0:
		f.Kind = Silence
	case 1:
		f.Kind, f.Delay = Delay, between(w.random, 1, longestDelay)
	default:
		f.Kind = Outage
	}
	w.do(Step{Do: AwaitConnected, Client: f.Client}, w.breaks(f))
	if f.Kind == Outage {
		w.do(Step{Do: AwaitDisconnected, Client: f.Client}) // or the next move would find it connected
	}
	w.meanwhile()
}

// outage takes somebody's link away and gives it back.
func (w *scriptWriter) outage() {
	who := w.anyone()
	w.do(Step{Do: AwaitConnected, Client: who}, w.breaks(Fault{Kind: Outage, Client: who}),
		Step{Do: AwaitDisconnected, Client: who})
	w.meanwhile()
	w.do(w.breaks(Fault{Kind: Heal, Client: who}), Step{Do: AwaitConnected, Client: who})
}

// leave is the page's own disconnect() and connect().
func (w *scriptWriter) leave() {
	who := w.anyone()
	w.do(Step{Do: AwaitConnected, Client: who}, Step{Do: Disconnect, Client: who},
		Step{Do: AwaitDisconnected, Client: who})
	w.meanwhile()
	w.do(Step{Do: Connect, Client: who}, Step{Do: AwaitConnected, Client: who})
}

// barrier adds a Barrier, before which no client may send in the background.
func (w *scriptWriter) barrier() {
	w.allStop()
	w.do(Step{Do: Barrier})
}

func (w *scriptWriter) allStop() {
	for _, who := range w.present {
		w.stop(who)
	}
}

func (w *scriptWriter) wait() { w.do(Step{Do: Wait, For: between(w.random, 1, w.config.Longest)}) }

// restart ends the server, in one way or the other, and starts it again.
func (w *scriptWriter) restart() {
	end := []Action{StopServer, KillServer}[w.random.IntN(2)]
	w.do(Step{Do: AwaitConnected}, Step{Do: end}, Step{Do: AwaitDisconnected})
	w.meanwhile()
	w.do(Step{Do: StartServer}, Step{Do: AwaitConnected})
}

func (w *scriptWriter) finish() {
	for len(w.absent) > 0 {
		w.open()
	}
	w.allStop()
	w.do(Step{Do: AwaitConnected}, Step{Do: Barrier})
}
