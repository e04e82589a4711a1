package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// Every example fits the schema that editors use, and does not with a mistake in it.
func TestExamplesFitTheScenarioSchema(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	asJSON := func(text string) []byte {
		t.Helper()
		inJSON, err := yaml.YAMLToJSON([]byte(text))
		if err != nil || !json.Valid(inJSON) {
			t.Fatalf("%v: %s", err, inJSON)
		}
		return inJSON
	}
	for _, file := range files {
		text := read(t, file)
		if err := conforms(t, "scenario.schema.json", asJSON(text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for right, wrong := range map[string]string{
			"title: ":       "titel: ",
			"clients:":      "pages: []\nclients:",
			"from: ":        "from: the best of ",
			"client: alice": "cleint: alice",
			"do: open":      "do: 1",
		} {
			if !strings.Contains(text, right) {
				t.Errorf("%s has no %q to be misspelt", file, right)
			}
			if conforms(t, "scenario.schema.json", asJSON(strings.Replace(text, right, wrong, 1))) == nil {
				t.Errorf("%s: the schema takes %q", file, wrong)
			}
		}
	}
}

func TestListShowsAndExplainsOwnScenarios(t *testing.T) {
	t.Parallel()
	examples := absolute(t, "../../examples")
	o := redial(t, "list", "--scenarios", examples)
	if o.code != 0 || !strings.Contains(o.stdout, "\nconnect-at-once ") || !strings.Contains(o.stdout, "\nidle-proxy ") {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	o = redial(t, "list", "--scenarios", examples, "idle-proxy")
	for _, want := range []string{"What decides: every quiet moment", "alice and bob are pages.", "bob's link closes connections that are idle for 5s", "wait until bob is disconnected"} {
		if o.code != 0 || !strings.Contains(o.stdout, want) {
			t.Errorf("exit %d, and it lacks %q: %s%s", o.code, want, o.stdout, o.stderr)
		}
	}
	if strings.Contains(o.stdout, "clean-drop") {
		t.Errorf("it explains other scenarios, too: %s", o.stdout)
	}
}

// A user's scenario is judged beside one of the catalogue, and its failure fails the check.
func TestCheckPlaysOwnScenarios(t *testing.T) {
	t.Parallel()
	which := []string{"check", "--lab", "virtual", "--seed", "1", "--scenarios", absolute(t, "../../examples"), "--scenario", "clean-drop,idle-proxy"}
	if o := redial(t, append(which, "--step", "6")...); o.code != 0 || !strings.Contains(o.stdout, "idle-proxy") || !strings.Contains(o.stdout, "clean-drop") {
		t.Errorf("step 6: exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	if o := redial(t, append(which, "--step", "5", "--level", "recovery")...); o.code != 1 || strings.Count(unwrapped(o.stdout), " --scenarios "+absolute(t, "../../examples")+" --level recovery --scenario idle-proxy --seed 1") != 1 {
		t.Errorf("step 5: exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	folder := t.TempDir()
	write(t, filepath.Join(folder, "mine.yaml"), "title: x\nclients: []\nskript: []\n")
	for _, arguments := range [][]string{{"check", "--step", "6"}, {"list"}} {
		o := redial(t, append(arguments, "--scenarios", folder)...)
		if o.code != 3 || !strings.Contains(o.stderr, "mine.yaml: line 3: ") || strings.Contains(o.stdout, "clean-drop") {
			t.Errorf("%v: exit %d after %v: %s%s", arguments, o.code, o.took, o.stdout, o.stderr)
		}
	}
}

// Both READMEs show the same scenario, which step 6 passes and step 5 fails.
func TestScenarioInTheReadmesIsPlayed(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, file := range []string{"../../../README.md", "../../../docs/ko/README.md"} {
		_, after, _ := strings.Cut(read(t, file), "```yaml\ntitle: ")
		scenario, _, found := strings.Cut(after, "```")
		if !found {
			t.Fatalf("%s shows no scenario", file)
		}
		shown["title: "+scenario] = true
	}
	if len(shown) != 1 {
		t.Errorf("the READMEs show different scenarios: %v", shown)
	}
	for scenario := range shown {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "mine.yaml"), scenario)
		for step, want := range map[string]int{"6": 0, "5": 1} {
			o := redial(t, "check", "--lab", "virtual", "--step", step, "--level", "recovery", "--scenarios", folder, "--scenario", "mine")
			if o.code != want {
				t.Errorf("step %s: exit %d, want %d: %s%s", step, o.code, want, o.stdout, o.stderr)
			}
		}
	}
}
