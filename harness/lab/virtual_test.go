package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/seam"
	"redial/steps/lessons"
)

// step is one of the tutorial's servers.
func step(t testing.TB, number string) lab.Handler {
	t.Helper()
	lesson, err := lessons.Find(number)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lessons.Bundle(); err != nil {
		t.Skip(err)
	}
	return func(dir string) (http.Handler, io.Closer, error) {
		return lessons.Handler(lesson, lessons.Settings{DataDir: dir})
	}
}

// play plays a plan in the virtual lab on a server in this process.
func play(t testing.TB, server lab.Handler, config lab.Config, p plan.Plan) lab.Run {
	t.Helper()
	return lab.Virtual.Play(t.Context(), lab.InProcess(server), config, p)
}

// forStep7 is how step 7 is judged.
var forStep7 = lab.Config{Level: contract.ServerDelivery, KeepsLog: true, OwnRecovery: true}

func clients(kind plan.Kind, transports []string, names ...string) (list []plan.Client) {
	for _, name := range names {
		list = append(list, plan.Client{Name: name, Kind: kind, Transports: transports})
	}
	return list
}

// everything is a run with a bit of everything in it: refreshes, cuts, a switch, a
// crash at a frame and one in the script, a graceful restart, and background traffic meanwhile.
func everything(seed uint64, kind plan.Kind, transports ...string) plan.Plan {
	return plan.Plan{
		Seed:    seed,
		Clients: clients(kind, transports, "alice", "bob", "carol"),
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.Open, Client: "carol"},
			{Do: plan.AwaitConnected},
			{Do: plan.Send, Client: "alice", Text: "hello"},
			{Do: plan.AwaitShown, Client: "bob", Text: "hello"},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Outage, Client: "bob", For: plan.Duration(3 * time.Second)}},
			{Do: plan.Send, Client: "alice", Text: "meanwhile", Count: 5},
			{Do: plan.StartSending, Client: "alice", Text: "traffic", Every: plan.Duration(7 * time.Millisecond), Count: 100},
			{Do: plan.Refresh, Client: "carol"},
			{Do: plan.AwaitConnected},
			{Do: plan.AwaitShown, Client: "bob", Text: "meanwhile 5"},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Switch, Client: "bob"}},
			{Do: plan.AwaitConnected, Client: "bob"},
			{Do: plan.KillServer},
			{Do: plan.Wait, For: plan.Duration(2 * time.Second)},
			{Do: plan.StartServer},
			{Do: plan.AwaitConnected},
			{Do: plan.StopSending, Client: "alice"},
			{Do: plan.StopServer},
			{Do: plan.StartServer},
		},
		Faults: []plan.Fault{
			{Kind: plan.Cut, Client: "alice", At: plan.Frame{Direction: plan.Down, Number: 20}},
			{Kind: plan.Crash, At: plan.Frame{Client: "carol", Direction: plan.Down, Number: 30}},
			{Kind: plan.RefreshPage, Client: "bob", At: plan.Frame{Direction: plan.Down, Number: 18, After: true}},
		},
	}
}

// One seed, one history: the same plan gives the same events at the same times, and
// the same frames, however the goroutines are scheduled.
func TestVirtualIsRepeatable(t *testing.T) {
	runs := *repeats
	if testing.Short() || underRace {
		runs = 8
	}
	websocket, polling, upgrade := []string(nil), []string{"polling"}, []string{"polling", "websocket"}
	for _, c := range []struct {
		name       string
		step       string
		kind       plan.Kind
		transports []string
		runs       int
	}{
		{"pages", "7", plan.Page, websocket, runs},
		{"pages that poll", "7", plan.Page, polling, runs / 4},
		{"pages that upgrade", "7", plan.Page, upgrade, runs / 4},
		{"wire", "7", plan.Wire, websocket, 2 * runs},
		{"wire that polls", "7", plan.Wire, polling, runs},
		{"the library's own recovery", "6", plan.Page, websocket, runs / 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			if underRace && len(c.transports) > 0 {
				t.Skip("the library races with itself where a client polls")
			}
			config := forStep7
			config.KeepsLog, config.OwnRecovery = c.step == "7", c.step == "7"
			config.Level = contract.ClientDelivery
			p := everything(7, c.kind, c.transports...)
			first := play(t, step(t, c.step), config, p)
			if first.Err != nil {
				t.Fatal(first.Err)
			}
			if v := check.Judge(first.Events); v.FaultsFired != v.FaultsPlanned {
				t.Errorf("%d of %d faults fired: %s", v.FaultsFired, v.FaultsPlanned, v.Reason)
			}
			want := story(t, first)
			for again := range parallel(c.runs, func(int) lab.Run { return play(t, step(t, c.step), config, p) }) {
				if got := story(t, again); !bytes.Equal(got, want) {
					t.Fatalf("the same plan gave another run:\n%s", difference(want, got))
				}
			}
		})
	}
}

// The same of a server with pauses, which the library ends socket by socket in an order
// that nobody knows.
func TestVirtualStopIsRepeatable(t *testing.T) {
	lesson, err := lessons.Find("7")
	if err != nil {
		t.Fatal(err)
	}
	server := func(dir string) (http.Handler, io.Closer, error) {
		return lessons.Handler(lesson, lessons.Settings{DataDir: dir, Driver: seam.Driver, Options: seam.At(dir).Options()})
	}
	p := plan.Plan{
		Seams: plan.Duration(20 * time.Millisecond), Clients: clients(plan.Wire, nil, "alice", "bob", "carol", "dave"),
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.Open, Client: "carol"}, {Do: plan.Open, Client: "dave"},
			{Do: plan.AwaitConnected},
			{Do: plan.Send, Client: "alice", Text: "hello", Count: 3}, {Do: plan.Send, Client: "bob", Text: "hello to you", Count: 3},
			{Do: plan.AwaitShown, Client: "dave", Text: "hello 1"}, {Do: plan.StopServer}, {Do: plan.StartServer},
		},
	}
	for p.Seed = range uint64(6) {
		first := play(t, server, forStep7, p)
		if first.Err != nil {
			t.Fatal(first.Err)
		}
		want := story(t, first)
		for again := range parallel(8, func(int) lab.Run { return play(t, server, forStep7, p) }) {
			if got := story(t, again); !bytes.Equal(got, want) {
				t.Fatalf("the same plan gave another run:\n%s", difference(want, got))
			}
		}
	}
}

// Another seed is another run: the test above would pass for a lab without time.
func TestVirtualSeedsDiffer(t *testing.T) {
	stories := map[string]bool{}
	for seed := range uint64(5) {
		p := everything(0, plan.Wire)
		p.Faults = nil
		run := play(t, step(t, "7"), forStep7, withSeed(p, seed))
		var times strings.Builder
		for _, e := range run.Events {
			fmt.Fprintln(&times, e.At, e.Kind, e.Client)
		}
		stories[times.String()] = true
	}
	if len(stories) != 5 {
		t.Errorf("5 seeds gave %d runs", len(stories))
	}
}

func withSeed(p plan.Plan, seed uint64) plan.Plan {
	p.Seed = seed
	return p
}

// parallel yields what n calls return, a few of them under way at once.
func parallel[R any](n int, call func(i int) R) func(yield func(R) bool) {
	return func(yield func(R) bool) {
		results := make(chan R)
		slots := make(chan struct{}, runtime.GOMAXPROCS(0)+1)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				slots <- struct{}{}
				r := call(i)
				<-slots
				results <- r
			})
		}
		go func() { all.Wait(); close(results) }()
		going := true
		for r := range results {
			going = going && yield(r)
		}
	}
}

// story is all of a run that has to be the same.
func story(t *testing.T, run lab.Run) []byte {
	t.Helper()
	var text bytes.Buffer
	if run.Err != nil {
		fmt.Fprintln(&text, run.Err)
	}
	if err := history.Write(&text, run.Events); err != nil {
		t.Fatal(err)
	}
	for _, f := range run.Frames {
		fmt.Fprintln(&text, f)
	}
	return text.Bytes()
}

func difference(want, got []byte) string {
	a, b := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\nfirst: %.200s\nthen:  %.200s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, then %d", len(a), len(b))
}

// A right server passes a run with everything in it; the same run on a server that
// keeps nothing fails, so the pass means something.
func TestVirtualVerdicts(t *testing.T) {
	for _, kind := range []plan.Kind{plan.Page, plan.Wire} {
		p := everything(3, kind)
		run := play(t, step(t, "7"), forStep7, p)
		if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Pass {
			t.Errorf("step 7 with %s clients: %v, %s: %s", kind, run.Err, v.Outcome, v.Reason)
		}
		run = play(t, step(t, "5"), lab.Config{Level: contract.ServerDelivery, OwnRecovery: true}, p)
		if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Fail || v.Lost == 0 {
			t.Errorf("step 5 with %s clients: %v, %s with %d lost; it cannot but lose", kind, run.Err, v.Outcome, v.Lost)
		}
	}
}

// Waiting costs nothing: an hour is over in no time, and its heartbeats are there.
func TestVirtualTimeIsFree(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Wire, nil, "alice"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}, {Do: plan.Wait, For: plan.Duration(time.Hour)},
	}}
	run := play(t, step(t, "5"), lab.Config{OwnRecovery: true}, p)
	if run.Err != nil || run.Virtual < time.Hour || run.Real > time.Minute {
		t.Errorf("%v after %s, which took %s", run.Err, run.Virtual, run.Real)
	}
	heartbeats := 0
	for _, f := range run.Frames {
		if f.Direction == plan.Up {
			heartbeats++
		}
	}
	if heartbeats < 3600/26 {
		t.Errorf("alice sent %d frames in an hour of heartbeats", heartbeats)
	}
	for _, e := range run.Events {
		if e.Kind == history.Disconnected {
			t.Errorf("disconnected at %s: %s", time.Duration(e.At), e.Detail)
		}
	}
}

// diary is a server that writes a line every 10 ms, whatever happens to it, and for
// a second after it was told to stop.
type diary struct {
	file   *os.File
	stop   chan struct{}
	closer io.Closer
	sync.WaitGroup
}

func (d *diary) write() {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	var end <-chan time.Time
	for stop := d.stop; ; {
		select {
		case <-ticker.C:
			_, _ = d.file.WriteString("I am alive\n")
		case <-stop:
			end, stop = time.After(time.Second), nil
		case <-end:
			return
		}
	}
}

func (d *diary) Close() error {
	close(d.stop)
	d.Wait()
	return errors.Join(d.closer.Close(), d.file.Close())
}

// A killed server's goroutines go on, and write; the next life does not see it.
func TestVirtualFence(t *testing.T) {
	for _, c := range []struct {
		end plan.Action
		// sees is how many milliseconds of the first life the second one finds.
		least, most int
	}{
		{plan.KillServer, 990, 1010},  // the second that it lived
		{plan.StopServer, 1980, 2020}, // and the one that its Close took
	} {
		var atStart, atEnd []int // lines in each life's file
		var mu sync.Mutex        // two lives may end at once
		server := func(dir string) (http.Handler, io.Closer, error) {
			path := filepath.Join(dir, "diary")
			text, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, nil, err
			}
			atStart = append(atStart, bytes.Count(text, []byte("\n")))
			handler, closer, err := step(t, "5")(dir)
			if err != nil {
				return nil, nil, err
			}
			file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			d := &diary{file: file, stop: make(chan struct{}), closer: closer}
			d.Go(func() {
				d.write()
				text, _ := os.ReadFile(path)
				mu.Lock()
				defer mu.Unlock()
				atEnd = append(atEnd, bytes.Count(text, []byte("\n")))
			})
			return handler, d, err
		}
		run := play(t, server, lab.Config{OwnRecovery: true}, plan.Plan{Script: []plan.Step{
			{Do: plan.Wait, For: plan.Duration(time.Second)},
			{Do: c.end},
			{Do: plan.Wait, For: plan.Duration(10 * time.Second)},
			{Do: plan.StartServer},
		}})
		if run.Err != nil || len(atStart) != 2 || len(atEnd) != 2 {
			t.Fatalf("%s: %v, %d starts, %d ends", c.end, run.Err, len(atStart), len(atEnd))
		}
		if found := 10 * atStart[1]; found < c.least || found > c.most {
			t.Errorf("%s: the second life finds %d ms of the first, want %d to %d", c.end, found, c.least, c.most)
		}
		if c.end == plan.KillServer && atEnd[0] < atStart[1]+90 {
			t.Errorf("the killed server wrote %d lines of which %d were found: nothing was fenced off", atEnd[0], atStart[1])
		}
	}
}

// What a server's store has not been told by the time of the crash is gone, and what
// it has is there: a crash at any frame leaves step 7 with all that was acknowledged.
func TestVirtualCrashAtEachFrame(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Wire, nil, "alice", "bob"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
		{Do: plan.Send, Client: "alice", Text: "said", Count: 3},
	}}
	healthy := play(t, step(t, "7"), forStep7, p)
	if healthy.Err != nil || len(healthy.Frames) < 20 {
		t.Fatalf("%v, %d frames", healthy.Err, len(healthy.Frames))
	}
	var broken []plan.Plan
	for single := range plan.Singles(p, healthy.Frames, []plan.FaultKind{plan.Crash, plan.Restart}) {
		broken = append(broken, single)
	}
	type outcome struct {
		verdict check.Verdict
		err     error
		fault   plan.Fault
	}
	stopped := 0
	for o := range parallel(len(broken), func(i int) outcome {
		run := play(t, step(t, "7"), forStep7, broken[i])
		return outcome{check.Judge(run.Events), run.Err, broken[i].Faults[0]}
	}) {
		if o.err != nil || o.verdict.Outcome == check.Fail {
			t.Errorf("%s at %+v: %v, %s: %s", o.fault.Kind, o.fault.At, o.err, o.verdict.Outcome, o.verdict.Reason)
		}
		stopped += o.verdict.FaultsFired
	}
	if stopped < len(broken)*9/10 {
		t.Errorf("%d of %d faults fired", stopped, len(broken))
	}
}

// A second end that comes while the server is down already, or on its way, is no end
// of the run.
func TestVirtualTwoEndsAtOnce(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Wire, nil, "alice", "bob"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
		{Do: plan.Send, Client: "alice", Text: "said", Count: 3},
	}}
	healthy := play(t, step(t, "7"), forStep7, p)
	if healthy.Err != nil {
		t.Fatal(healthy.Err)
	}
	ends := []plan.FaultKind{plan.Restart, plan.Crash}
	singles := slices.Collect(plan.Singles(p, healthy.Frames, ends))
	var broken []plan.Plan
	for i, single := range singles {
		for _, later := range []int{1, 2, 3} {
			if i+later < len(singles) {
				single.Faults = append(slices.Clone(single.Faults[:1]), singles[i+later].Faults[0])
				broken = append(broken, single)
			}
		}
	}
	superfluous := 0
	for run := range parallel(len(broken), func(i int) lab.Run { return play(t, step(t, "7"), forStep7, broken[i]) }) {
		verdict := check.Judge(run.Events)
		if run.Err != nil || verdict.Outcome == check.Fail {
			t.Errorf("%v, %s: %s", run.Err, verdict.Outcome, verdict.Reason)
		}
		for _, e := range run.Events {
			if e.Kind == history.Note && strings.Contains(e.Detail, "down already") {
				superfluous++
			}
		}
	}
	if superfluous == 0 {
		t.Errorf("in none of %d runs a fault found the server down", len(broken))
	}
}

// While a server is down, and in an outage, dials are refused.
func TestVirtualRefuses(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Wire, nil, "alice"), Script: []plan.Step{
		{Do: plan.KillServer},
		{Do: plan.Open, Client: "alice"},
		{Do: plan.Wait, For: plan.Duration(time.Minute)},
		{Do: plan.StartServer},
		{Do: plan.AwaitConnected},
	}}
	run := play(t, step(t, "5"), lab.Config{OwnRecovery: true}, p)
	if run.Err != nil {
		t.Fatal(run.Err)
	}
	refused := false
	for _, e := range run.Events {
		refused = refused || e.Kind == history.Note && strings.Contains(e.Detail, "connection refused")
	}
	if !refused {
		t.Error("a dial to a server that is down was not refused")
	}
}

// A laptop that sleeps past the heartbeat comes back, and nothing of what was said
// meanwhile is lost or twice there.
func TestVirtualSuspend(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Page, nil, "alice", "bob"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
		{Do: plan.Suspend, Client: "bob"},
		{Do: plan.Send, Client: "alice", Text: "good night", Count: 3},
		{Do: plan.Wait, For: plan.Duration(10 * time.Minute)},
		{Do: plan.Resume, Client: "bob"},
		{Do: plan.AwaitShown, Client: "bob", Text: "good night 3"},
	}}
	run := play(t, step(t, "7"), forStep7, p)
	if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Pass {
		t.Errorf("%v, %s: %s", run.Err, v.Outcome, v.Reason)
	}
	for _, e := range run.Events {
		if e.Client == "bob" && e.Kind == history.Shown && e.Message == "good night 1" && e.At < plan.Duration(10*time.Minute) {
			t.Errorf("a suspended page showed something at %s", time.Duration(e.At))
		}
	}
	p.Clients[1].Kind = plan.Wire
	if run := play(t, step(t, "7"), forStep7, p); run.Err == nil || !strings.Contains(run.Err.Error(), "step 4 (suspend bob)") {
		t.Errorf("a wire client was suspended: %v", run.Err)
	}
}

// Two tabs of one browser share localStorage; two browsers do not.
func TestVirtualTabs(t *testing.T) {
	page := []byte(`<ul id="messages"></ul><form id="form"><input id="input"></form>
		<script src="/socket.io/socket.io.js"></script>
		<script>
			const loads = Number(localStorage.getItem("loads")) + 1;
			localStorage.setItem("loads", loads);
			const item = document.createElement("li");
			item.textContent = "load " + loads;
			document.getElementById("messages").appendChild(item);
			io();
		</script>`)
	for tab, want := range map[string]string{"alice": "load 2", "": "load 1"} {
		p := plan.Plan{Clients: clients(plan.Page, nil, "alice", "bob"), Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitShown, Client: "bob", Text: want},
		}}
		p.Clients[1].TabOf = tab
		run := play(t, step(t, "5"), lab.Config{HTML: page, OwnRecovery: true, Bound: time.Second}, p)
		shown := ""
		for _, e := range run.Events {
			if e.Client == "bob" && e.Kind == history.Shown {
				shown = e.Message
				break
			}
		}
		if run.Err != nil || shown != want {
			t.Errorf("bob, a tab of %q, shows %q (%v), want %q", tab, shown, run.Err, want)
		}
	}
}

// What a run leaves behind is counted, and all of it is the library's.
func TestVirtualCountsLeaks(t *testing.T) {
	config := forStep7
	config.CountLeaks = true
	run := play(t, step(t, "7"), config, everything(1, plan.Page, "polling", "websocket"))
	if run.Err != nil || run.Leaked != len(run.Leaks) {
		t.Fatalf("%v, %d leaked, of which %d are named", run.Err, run.Leaked, len(run.Leaks))
	}
	for _, leak := range run.Leaks {
		if !strings.Contains(leak, "zishang520/socket.io") {
			t.Errorf("left behind by somebody else than the library: %s", leak)
		}
	}
	left := func(dir string) (http.Handler, io.Closer, error) {
		go func() { select {} }()
		return step(t, "5")(dir)
	}
	run = play(t, left, lab.Config{OwnRecovery: true, CountLeaks: true}, plan.Plan{})
	if run.Err != nil || run.Leaked != 1 || !strings.Contains(run.Leaks[0], "TestVirtualCountsLeaks") {
		t.Errorf("%v, %d leaked: %v; want the one that the test has left", run.Err, run.Leaked, run.Leaks)
	}
	if run = play(t, left, lab.Config{OwnRecovery: true}, plan.Plan{}); run.Err != nil || run.Leaked != -1 {
		t.Errorf("%v, %d leaked; want -1 for some", run.Err, run.Leaked)
	}
}

// The library's own session adapter stops a timer when it is collected, which ends
// the process; unless the server is kept.
func TestVirtualSurvivesCollection(t *testing.T) {
	for seed := range uint64(5) {
		p := everything(seed, plan.Wire)
		if run := play(t, step(t, "6"), lab.Config{Level: contract.Recovery}, p); run.Err != nil {
			t.Fatal(run.Err)
		}
		for range 3 {
			runtime.GC()
		}
	}
}

// Errors are for people, and end the run, not the test.
func TestVirtualErrors(t *testing.T) {
	failing := func(string) (http.Handler, io.Closer, error) { return nil, nil, errors.New("no room in the disk") }
	for _, c := range []struct {
		name   string
		server lab.Handler
		config lab.Config
		plan   plan.Plan
		want   string
	}{
		{"a plan that is none", step(t, "5"), lab.Config{}, plan.Plan{Script: []plan.Step{{Do: "dance"}}}, "unknown action"},
		{"a browser", step(t, "5"), lab.Config{}, plan.Plan{Clients: clients(plan.Browser, nil, "bob")}, "bob is a browser"},
		{"a server that does not start", failing, lab.Config{}, plan.Plan{}, "no room in the disk"},
		{"a second start", step(t, "5"), lab.Config{}, plan.Plan{Script: []plan.Step{{Do: plan.StartServer}}}, "running already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.OwnRecovery = true
			run := play(t, c.server, c.config, c.plan)
			if run.Err == nil || !strings.Contains(run.Err.Error(), c.want) || strings.Contains(run.Err.Error(), "\n") {
				t.Errorf("%v, want one line with %q", run.Err, c.want)
			}
		})
	}
}

// Data folders are gone when a run is over.
func TestVirtualLeavesNoFolders(t *testing.T) {
	var folders []string
	server := func(dir string) (http.Handler, io.Closer, error) {
		folders = append(folders, dir)
		return step(t, "7")(dir)
	}
	run := play(t, server, forStep7, plan.Plan{Script: []plan.Step{{Do: plan.KillServer}, {Do: plan.StartServer}}})
	if run.Err != nil || len(folders) != 2 || folders[0] == folders[1] {
		t.Fatalf("%v, folders %v", run.Err, folders)
	}
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Dir(folder)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there (%v)", folder, err)
		}
	}
}

// conversation is a short run with a fault: three clients, of whom one loses its
// connection while the others talk, and one is loaded again.
func conversation(seed uint64, kind plan.Kind) plan.Plan {
	p := plan.Plan{Seed: seed, Clients: clients(kind, nil, "alice", "bob", "carol")}
	for _, c := range p.Clients {
		p.Script = append(p.Script, plan.Step{Do: plan.Open, Client: c.Name})
	}
	p.Script = append(p.Script,
		plan.Step{Do: plan.AwaitConnected},
		plan.Step{Do: plan.Send, Client: "alice", Text: "hello"},
		plan.Step{Do: plan.AwaitShown, Client: "bob", Text: "hello"},
		plan.Step{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Cut, Client: "bob"}},
		plan.Step{Do: plan.Send, Client: "alice", Text: "meanwhile", Count: 3},
		plan.Step{Do: plan.AwaitConnected, Client: "bob"},
		plan.Step{Do: plan.Refresh, Client: "carol"},
		plan.Step{Do: plan.AwaitConnected},
		plan.Step{Do: plan.Send, Client: "carol", Text: "bye"},
	)
	return p
}

// Any program can play a plan on its server, a test or not.
func ExampleLab() {
	myServer := func(dir string) (http.Handler, io.Closer, error) {
		// Keep in dir what must outlive the process. Here it is the tutorial's step 7.
		lesson, err := lessons.Find("7")
		if err != nil {
			return nil, nil, err
		}
		return lessons.Handler(lesson, lessons.Settings{DataDir: dir})
	}
	p := plan.Plan{
		Seed:    1,
		Clients: []plan.Client{{Name: "alice", Kind: plan.Wire}, {Name: "bob", Kind: plan.Wire}},
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Switch, Client: "bob"}},
			{Do: plan.Send, Client: "alice", Text: "are you there?"},
			{Do: plan.KillServer}, {Do: plan.StartServer},
		},
	}
	config := lab.Config{Level: contract.ServerDelivery, KeepsLog: true, OwnRecovery: true}
	run := lab.Virtual.Play(context.Background(), lab.InProcess(myServer), config, p)
	verdict := check.Judge(run.Events)
	fmt.Println(run.Err, verdict.Outcome, verdict.Reason)
	// Output: <nil> pass
}

// A page that is slow to show what was said is waited for as long as it goes on; one that
// shows nothing is given up after one bound.
func TestASlowPageIsWaitedFor(t *testing.T) {
	for _, c := range []struct {
		step string
		want int // awaits in vain
	}{{"7", 0}, {"4", 1}} {
		p := plan.Plan{Seed: 1, Clients: clients(plan.Wire, nil, "alice", "bob"), Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Limit, Client: "bob", BytesPerSecond: 3000}},
			{Do: plan.Send, Client: "alice", Text: "news", Count: 100},
			{Do: plan.AwaitShown, Client: "bob", Text: "news 100"},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Heal, Client: "bob"}},
		}}
		run := play(t, step(t, c.step), lab.Config{OwnRecovery: true, ShownBound: time.Second}, p)
		vain := 0
		for _, e := range run.Events {
			if e.Kind == history.TimedOut && e.Message == "news 100" {
				vain++
			}
		}
		if run.Err != nil || vain != c.want {
			t.Errorf("step %s: %v, %d awaits in vain, want %d", c.step, run.Err, vain, c.want)
		}
	}
}

// A page that a fault loads again waits for as long as the script keeps it from the server;
// what is to be said on it meanwhile is not said.
func TestVirtualPageThatIsKeptApart(t *testing.T) {
	ofAlice := func(kind plan.FaultKind) plan.Step {
		return plan.Step{Do: plan.Break, Fault: &plan.Fault{Kind: kind, Client: "alice"}}
	}
	refresh, stop, start := ofAlice(plan.RefreshPage), plan.Step{Do: plan.StopServer}, plan.Step{Do: plan.StartServer}
	for how, steps := range map[string]struct{ first, second, joins plan.Step }{
		"the server stops while it loads": {refresh, stop, start},
		"the server is down":              {stop, refresh, start},
		"an outage":                       {ofAlice(plan.Outage), refresh, ofAlice(plan.Heal)},
		"a silence":                       {ofAlice(plan.Silence), refresh, ofAlice(plan.Heal)},
	} {
		p := plan.Plan{Clients: clients(plan.Page, []string{"websocket"}, "alice"), Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected},
			steps.first, steps.second,
			{Do: plan.Send, Client: "alice", Text: "nobody can say that"},
			{Do: plan.Wait, For: plan.Duration(lab.VirtualBound + time.Minute)},
			steps.joins, {Do: plan.AwaitConnected}, {Do: plan.Send, Client: "alice", Text: "said"},
		}}
		run := play(t, step(t, "7"), forStep7, p)
		if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Pass {
			t.Errorf("%s: %v, %s: %s", how, run.Err, v.Outcome, v.Reason)
		}
		for _, e := range run.Events {
			if e.Message == "nobody can say that" {
				t.Errorf("%s: %s: %s", how, e.Kind, e.Message)
			}
		}
	}
}

// A barrier's mark that is lost with its page's connection says nothing of the server: the
// next mark is waited for as long.
func TestAMarkThatIsLostHurriesNobody(t *testing.T) {
	mark := plan.Frame{Direction: plan.Up, Match: "42"}
	p := plan.Plan{Clients: clients(plan.Wire, []string{"websocket"}, "alice", "bob"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected}, {Do: plan.Barrier},
	}, Faults: []plan.Fault{
		{Kind: plan.HalfOpen, Client: "alice", At: mark},
		{Kind: plan.Silence, Client: "bob", At: mark, For: plan.Duration(5 * time.Second)},
	}}
	run := play(t, step(t, "6"), lab.Config{Level: contract.Recovery, OwnRecovery: true}, p)
	if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Pass {
		t.Errorf("%v, %s: %s", run.Err, v.Outcome, v.Reason)
	}
}
