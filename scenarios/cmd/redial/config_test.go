package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"redial/harness/client/browser"
	"redial/harness/network/paths"
	"redial/scenarios/catalogue"
	"redial/scenarios/config"
	"redial/scenarios/servers"
	"redial/steps/lessons"
)

// described writes a redial.yaml for one of the kit's steps, and returns its path.
func described(t *testing.T, step, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "redial.yaml")
	write(t, path, fmt.Sprintf("name: described\ntarget: {command: [%q, %s, %q], isolated: true}\n%s", itself, servers.ServeStep, step, more))
	return path
}

const (
	tutorial = `socket: {auth: {serverOffset: "{{offset}}"}, send: {event: chat message, args: ["{{text}}"]}, receive: {event: chat message, offset: $2}}` + "\n"
	stepPage = `page: {input: "#input", submit: "#form button", messages: "#messages li"}` + "\n"
)

// A step that a redial.yaml describes has the verdict of the step, by its protocol and by its
// own page: step 7 keeps the promise of recovery and step 5 does not.
func TestBothWaysToUseAConfigurationAgree(t *testing.T) {
	t.Parallel()
	ways := map[string][]string{"by its protocol": {"--scenario", "clean-drop,refresh"}}
	if _, err := browser.Find(); err == nil { // runner.TestBothWaysAgree plays more rows in Chromium
		ways["by its own page"] = []string{"--scenario", "clean-drop", "--own-page"}
	}
	for name, flags := range ways {
		for step, want := range map[string]int{"7": 0, "5": 1} {
			t.Run(name+", step "+step, func(t *testing.T) {
				t.Parallel()
				level := "level: recovery\n"
				o := redial(t, append([]string{"check", "--config", described(t, step, level+tutorial+stepPage), "--seed", "1"}, flags...)...)
				if o.code != want || !strings.Contains(o.stdout, "described") {
					t.Errorf("exit %d, want %d: %s%s", o.code, want, o.stdout, o.stderr)
				}
			})
		}
	}
}

// Runs on a server that is not isolated take turns.
func TestParallelIsForAnIsolatedTarget(t *testing.T) {
	t.Parallel()
	file := described(t, "7", tutorial)
	c := command(t, "check", "--parallel", "2", "--scenario", "no-such-scenario")
	write(t, filepath.Join(c.Dir, config.FileName), read(t, file))
	if o := run(t, c); o.code != 3 || !strings.Contains(o.stderr, "no-such-scenario") {
		t.Errorf("--parallel for an isolated target in this folder's file: exit %d, %s", o.code, o.stderr)
	}
	write(t, file, strings.Replace(read(t, file), "isolated: true", "isolated: false", 1))
	refused(t, "leave out --parallel", "check", "--parallel", "2", "--config", file)
}

func TestDoctorNeedsASocket(t *testing.T) {
	t.Parallel()
	refused(t, "doctor examines a server's events", "doctor", "--config", described(t, "7", stepPage))
}

// Two of the cases wait for Chromium or for an answer, so the cases run all at once.
func TestCheckRefusesConfigurationsThatDoNotFit(t *testing.T) {
	t.Parallel()
	if _, err := browser.Find(); err != nil {
		t.Skip(err)
	}
	var all sync.WaitGroup
	defer all.Wait()
	for want, c := range map[string][]string{
		`the element "#typo"`:               {"--config", described(t, "7", strings.Replace(stepPage, "#input", "#typo", 1))},
		"needs a section page":              {"--config", described(t, "7", tutorial), "--real-network"},
		"page is missing":                   {"--config", described(t, "7", tutorial), "--own-page"},
		`line 3: unknown field "sokcet"`:    {"--config", described(t, "7", strings.Replace(tutorial, "socket", "sokcet", 1))},
		"another client did not receive it": {"--config", described(t, "7", strings.Replace(tutorial, "send: {event: chat message", "send: {event: message", 1))},
	} {
		all.Go(func() {
			t.Run(want, func(t *testing.T) { refused(t, want, append([]string{"check", "--scenario", "clean-drop"}, c...)...) })
		})
	}
}

// Each application in peers has a redial.yaml that fits the schema which editors use.
func TestPeersFitTheConfigurationSchema(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*/*/redial.yaml", "*/*/*/redial.yaml"} {
		some, err := filepath.Glob("../../peers/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	if len(files) < 10 {
		t.Fatalf("found %d", len(files))
	}
	for _, file := range files {
		text := read(t, file)
		fits := func(text string) error {
			inJSON, err := yaml.YAMLToJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			return conforms(t, "config.schema.json", inJSON)
		}
		if err := fits(text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if fits(strings.Replace(text, "level:", "lvel:", 1)) == nil {
			t.Errorf("%s: the schema takes an unknown key", file)
		}
		unplayable, err := unplayableOn(file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var b strings.Builder
		if list(&b, catalogue.All[:1], false, unplayable); !strings.HasPrefix(b.String(), "clean-drop ") {
			t.Errorf("%s: %s", file, b.String())
		}
	}
}

// Step 5 loses the messages that are sent while bob changes networks, and the printed command
// repeats that. (runner.TestARealSwitchLosesNothing has a step that loses none.)
func TestCheckOverARealNetworkSeesALoss(t *testing.T) {
	t.Parallel()
	if _, err := browser.Find(); err != nil {
		t.Skip(err)
	}
	if err := paths.Available(); err != nil {
		t.Skip(err)
	}
	o := redial(t, "check", "--config", described(t, "5", "level: recovery\n"+stepPage), "--scenario", "network-switch", "--seed", "1", "--real-network")
	// The replay command is wrapped to the width, before or after the flag.
	if o.code != 1 || !slices.Contains(strings.Fields(o.stdout), "--real-network") || !strings.Contains(o.stdout, "no-loss") {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

// What serves the page on loopback only is out of a network namespace's reach.
func TestCheckOverARealNetworkNamesAPageOutOfReach(t *testing.T) {
	t.Parallel()
	if _, err := browser.Find(); err != nil {
		t.Skip(err)
	}
	if err := paths.Available(); err != nil {
		t.Skip(err)
	}
	bundle, err := lessons.Bundle()
	if err != nil {
		t.Skip(err)
	}
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/client.js" {
			_, _ = w.Write(bundle)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<form id="form"><input id="input"><button>send</button></form><ul id="messages"></ul><script src="/client.js"></script><script>
			const socket = io("http://127.0.0.1:1", { transports: ["websocket"] });
			socket.on("chat message", (text) => messages.appendChild(document.createElement("li")).textContent = text);
			form.onsubmit = (event) => { event.preventDefault(); socket.emit("chat message", input.value); };
		</script>`)
	}))
	t.Cleanup(pages.Close)
	file := described(t, "7", "level: recovery\n"+strings.Replace(stepPage, "{", fmt.Sprintf("{url: %q, ", pages.URL+"/"), 1))
	refused(t, "reaches this machine at its other addresses than 127.0.0.1", "check", "--config", file, "--scenario", "network-switch", "--real-network")
}
