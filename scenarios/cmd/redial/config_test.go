package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"redial/harness/client/browser"
	"redial/harness/network/paths"
	"redial/scenarios/servers"
)

// described writes a redial.yaml for one of the kit's steps, and returns its path.
func described(t *testing.T, step, more string) string {
	t.Helper()
	itself, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "redial.yaml")
	text := fmt.Sprintf("name: described\ntarget: {command: [%q, %s, %q], isolated: true}\n%s", itself, servers.ServeStep, step, more)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	tutorial = `socket: {auth: {serverOffset: "{{offset}}"}, send: {event: chat message, args: ["{{text}}"]}, receive: {event: chat message, offset: $2}}` + "\n"
	stepPage = `page: {input: "#input", submit: "#form button", messages: "#messages li"}` + "\n"
)

// What a redial.yaml says in its own words comes to the verdict that the step has, by its
// protocol and by its own page; held to more than it promises, it fails both ways.
func TestBothWaysToUseAConfigurationAgree(t *testing.T) {
	t.Parallel()
	ways := map[string][]string{"by its protocol": nil}
	if _, err := browser.Find(); err == nil {
		ways["by its own page"] = []string{"--own-page"}
	}
	for name, flags := range ways {
		for step, want := range map[string]int{"7": 0, "5": 1} {
			t.Run(name+", step "+step, func(t *testing.T) {
				t.Parallel()
				level := "level: recovery\n"
				o := redial(t, append([]string{"check", "--config", described(t, step, level+tutorial+stepPage), "--scenario", "clean-drop,refresh", "--seed", "1",
					"--report", t.TempDir()}, flags...)...)
				if o.code != want || !strings.Contains(o.stdout, "described") {
					t.Errorf("exit %d, want %d: %s%s", o.code, want, o.stdout, o.stderr)
				}
			})
		}
	}
}

func TestConfigurationsThatDoNotFit(t *testing.T) {
	t.Parallel()
	if _, err := browser.Find(); err != nil {
		t.Skip(err)
	}
	for want, c := range map[string][]string{
		`the element "#typo"`:               {"--config", described(t, "7", strings.Replace(stepPage, "#input", "#typo", 1))},
		"needs a section page":              {"--config", described(t, "7", tutorial), "--real-network"},
		"page is missing":                   {"--config", described(t, "7", tutorial), "--own-page"},
		`line 3: unknown field "sokcet"`:    {"--config", described(t, "7", strings.Replace(tutorial, "socket", "sokcet", 1))},
		"another client did not receive it": {"--config", described(t, "7", strings.Replace(tutorial, "send: {event: chat message", "send: {event: message", 1))},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			o := redial(t, append([]string{"check", "--scenario", "clean-drop"}, c...)...)
			if o.code != 3 || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, want) {
				t.Errorf("exit %d, %q%q, want one line with %q", o.code, o.stderr, o.stdout, want)
			}
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
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fits := func(text string) error {
			inJSON, err := yaml.YAMLToJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			return conforms(t, "config.schema.json", inJSON)
		}
		if err := fits(string(text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if fits(strings.Replace(string(text), "level:", "lvel:", 1)) == nil {
			t.Errorf("%s: the schema takes an unknown key", file)
		}
		if o := redial(t, "list", "--config", file, "clean-drop"); o.code != 0 || !strings.Contains(o.stdout, "clean-drop") {
			t.Errorf("%s: exit %d, %s%s", file, o.code, o.stdout, o.stderr)
		}
	}
}

// Step 5 loses what is sent while bob changes networks, and step 7 does not; the command
// that is printed changes them in the same way.
func TestRealNetwork(t *testing.T) {
	t.Parallel()
	if _, err := browser.Find(); err != nil {
		t.Skip(err)
	}
	if err := paths.Available(); err != nil {
		t.Skip(err)
	}
	for step, want := range map[string]int{"7": 0, "5": 1} {
		o := redial(t, "check", "--config", described(t, step, "level: recovery\n"+stepPage), "--scenario", "network-switch", "--seed", "1",
			"--real-network", "--report", t.TempDir())
		if o.code != want || (want == 1) != strings.Contains(o.stdout, " --real-network ") {
			t.Errorf("step %s: exit %d, want %d: %s%s", step, o.code, want, o.stdout, o.stderr)
		}
	}
}
