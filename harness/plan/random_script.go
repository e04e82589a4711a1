package plan

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// ScriptConfig configures [RandomScript].
type ScriptConfig struct {
	// Pages and Wires are the numbers of clients of each kind, not both zero.
	Pages, Wires int
	// Retries makes the wire clients retry until they get an acknowledgement.
	Retries bool
	// KeepPages leaves out page refreshes.
	KeepPages bool
}

// randomMoves is the number of moves of a random script, each of a few steps.
const randomMoves = 12

// RandomScript returns a plan without armed faults, drawn with the seed, which is the seed of
// the run too. The same seed and config give the same plan. Every client's page is opened. At
// the end the server is up, every fault is healed or heals by itself, no client sends in the
// background, and every client is connected. No text is sent twice.
func RandomScript(seed uint64, config ScriptConfig) Plan {
	w := &scriptWriter{
		config:  config,
		random:  rand.New(rand.NewPCG(seed, 's')),
		plan:    Plan{Seed: seed},
		sending: map[string]bool{},
	}
	w.addClients()
	w.open()
	moves := w.moves()
	for range randomMoves {
		moves[w.random.IntN(len(moves))]()
	}
	w.finish()
	return w.plan
}

// scriptWriter writes a script move by move. After each move any other may follow.
type scriptWriter struct {
	config  ScriptConfig
	random  *rand.Rand
	plan    Plan
	absent  []string // clients whose page is not open yet
	present []string
	sending map[string]bool
	sent    int
}

var pageNames = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"}

func (w *scriptWriter) addClients() {
	for n := range w.config.Pages {
		name := pageNames[n%len(pageNames)]
		if round := n / len(pageNames); round > 0 {
			name = fmt.Sprintf("%s-%d", name, round+1)
		}
		w.addClient(Client{Name: name})
	}
	for n := range w.config.Wires {
		delay := between(w.random, 5, Duration(time.Second))
		w.addClient(Client{Name: fmt.Sprintf("wire-%d", n+1), Kind: Wire, ReconnectDelay: delay, Retries: w.config.Retries})
	}
}

func (w *scriptWriter) addClient(c Client) {
	w.plan.Clients = append(w.plan.Clients, c)
	w.absent = append(w.absent, c.Name)
}

// moves lists the moves to draw from. A move that is listed twice is twice as likely.
func (w *scriptWriter) moves() []func() {
	moves := []func(){
		w.send, w.send, w.send, w.send, w.send, w.send, w.startOrStop, w.startOrStop,
		w.open, w.breakOnce, w.breakOnce, w.breakForAWhile, w.outage, w.disconnect,
		w.barrier, w.wait,
	}
	if !w.config.KeepPages {
		moves = append(moves, w.refresh)
	}
	return append(moves, w.restart)
}

func (w *scriptWriter) do(steps ...Step) { w.plan.Script = append(w.plan.Script, steps...) }

func (w *scriptWriter) anyone() string { return w.present[w.random.IntN(len(w.present))] }

// open opens the page of the next absent client, if there is one.
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

// text returns a text that is unique in the script, even with a number appended.
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

// breakOnce waits for a client's connection and ends it.
func (w *scriptWriter) breakOnce() {
	who := w.anyone()
	kind := ending[w.random.IntN(len(ending))]
	w.do(Step{Do: AwaitConnected, Client: who}, w.breaks(Fault{Kind: kind, Client: who}),
		Step{Do: AwaitDisconnected, Client: who})
	w.meanwhile()
	w.do(Step{Do: AwaitConnected, Client: who})
}

func (w *scriptWriter) breaks(f Fault) Step { return Step{Do: Break, Fault: &f} }

// breakForAWhile breaks a client's link with a fault that heals by itself.
func (w *scriptWriter) breakForAWhile() {
	f := Fault{Client: w.anyone(), For: between(w.random, 1, longestFault)}
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
		w.do(Step{Do: AwaitDisconnected, Client: f.Client}) // otherwise the next move would find the client still connected
	}
	w.meanwhile()
}

// outage breaks a client's link with an outage, and heals it.
func (w *scriptWriter) outage() {
	who := w.anyone()
	w.do(Step{Do: AwaitConnected, Client: who}, w.breaks(Fault{Kind: Outage, Client: who}),
		Step{Do: AwaitDisconnected, Client: who})
	w.meanwhile()
	w.do(w.breaks(Fault{Kind: Heal, Client: who}), Step{Do: AwaitConnected, Client: who})
}

// disconnect calls the page's own disconnect() and connect().
func (w *scriptWriter) disconnect() {
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

func (w *scriptWriter) wait() { w.do(Step{Do: Wait, For: between(w.random, 1, longestFault)}) }

// restart stops or kills the server, and starts it again.
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
