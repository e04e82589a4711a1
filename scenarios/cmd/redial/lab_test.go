package main

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/plan"
	"redial/scenarios/labpage"
)

func TestLabServesUntilCtrlC(t *testing.T) {
	c := command(t, "lab")
	c.Env = append(c.Env, "PORT=0")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "Ctrl-C ends it") {
		t.Fatalf("%q %v", line, err)
	}
	address := strings.Fields(strings.TrimPrefix(line, "The lab is at "))[0]
	port := address[strings.LastIndex(address, ":")+1:]
	response, err := http.Get("http://127.0.0.1:" + port + "/play")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", response, err)
	}
	response.Body.Close()
	refusedWith(t, "port "+port+" is in use: choose another, or a free one with PORT=0", "PORT="+port)
	refusedWith(t, `cannot listen on port "none"`, "PORT=none")
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
	nothingLeft(t, c)
}

func refusedWith(t *testing.T, want, environment string) {
	t.Helper()
	c := command(t, "lab")
	c.Env = append(c.Env, environment)
	if o := run(t, c); o.code != 3 || o.stdout != "" || !strings.Contains(o.stderr, want) || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("%s: exit %d, %q%q", environment, o.code, o.stdout, o.stderr)
	}
}

func TestReplayTakesALinkOfTheLabPage(t *testing.T) {
	cut := func(step string) string {
		p, err := plan.Decode([]byte(`{"seed":1,"clients":[{"name":"alice"},{"name":"bob"}],"script":[{"do":"open","client":"alice"},{"do":"open","client":"bob"},
			{"do":"await-connected"},{"do":"break","fault":{"kind":"cut","client":"bob"}},{"do":"wait","for":"200ms"},{"do":"send","client":"alice","text":"hello"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		fragment, err := labpage.Document{Step: step, Plan: p}.Fragment()
		if err != nil {
			t.Fatal(err)
		}
		return "http://localhost:3000/?lang=ko#" + fragment
	}
	for step, want := range map[string]struct {
		code int
		text string
	}{"5": {0, "Beyond what level basic promises"}, "6": {0, "PASS"}, "published-6": {1, "hello"}} {
		if o := redial(t, "replay", cut(step)); o.code != want.code || !strings.Contains(o.stdout, want.text) {
			t.Errorf("step %s: exit %d\n%s%s", step, o.code, o.stdout, o.stderr)
		}
	}
	refused(t, "not whole", "replay", "http://localhost:3000/#plan=zzz")
	refused(t, "shares no plan", "replay", "http://localhost:3000/#")
}

// The page and the command come to the same verdict on each run of the tour. (A test of
// package labwasm compares the page in WebAssembly.)
func TestReplayOfALinkComesToTheVerdictOfThePage(t *testing.T) {
	text, err := fs.ReadFile(labpage.Static(), "tour.json")
	if err != nil {
		t.Fatal(err)
	}
	var tour struct{ Breaks []labpage.Document }
	if err := json.Unmarshal(text, &tour); err != nil || len(tour.Breaks) == 0 {
		t.Fatalf("tour.json has %d breaks: %v", len(tour.Breaks), err)
	}
	for _, document := range tour.Breaks {
		link, err := document.Fragment()
		if err != nil {
			t.Fatal(err)
		}
		run := labpage.Play(t.Context(), labpage.Request{Link: "#" + link})
		want, code := "PASS", 0
		switch {
		case run.Outcome == check.Fail:
			want, code = run.Findings[0].Observed, 1
		case run.Beyond.Outcome == check.Fail:
			want = run.Beyond.Reason
		}
		if o := redial(t, "replay", "http://localhost:3000/?lang=ko#"+link); run.Error != "" || o.code != code || !strings.Contains(unwrapped(o.stdout), unwrapped(want)) {
			t.Errorf("step %s: the page comes to %s%s, and the command to exit %d without %q\n%s%s", document.Step, run.Error, run.Outcome, o.code, want, o.stdout, o.stderr)
		}
	}
}

func unwrapped(text string) string { return strings.Join(strings.Fields(text), " ") }
