package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	generator "github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	verdict "redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/config"
	"redial/scenarios/runner"
)

var update = flag.Bool("update", false, "write the published schemas anew")

// published are the schemas, each with the Go type that is written as JSON. invopop/jsonschema
// makes them, because it takes descriptions from comments. Another library validates with
// them, so that an error of one library is found by the other.
var published = []struct {
	file, title string
	written     any
}{
	{"report.schema.json", "What redial check, matrix and merge write with --json", report.Document{}},
	{"failure.schema.json", "A failure that redial saves, and replay and recheck read", runner.Saved{}},
	{"defects.schema.json", "What redial defects writes with --json", runner.DefectReport{}},
	{"scenario.schema.json", "A scenario of one's own, for redial check --scenarios", catalogue.Own{}},
	{"config.schema.json", "A redial.yaml, which describes an application", config.File{}},
}

const schemas = "scenarios/schema/"

// enums are the types of texts that have a few values only.
var enums = map[reflect.Type][]any{
	reflect.TypeFor[contract.Level]():  values(contract.Levels...),
	reflect.TypeFor[contract.RuleID](): append(ruleIDs(), ""),
	reflect.TypeFor[verdict.Outcome](): values(verdict.Pass, verdict.Fail, verdict.Inconclusive, verdict.Unsupported),
	reflect.TypeFor[verdict.Anomaly](): values(verdict.Lost, verdict.Duplicated, verdict.Reordered, verdict.Phantom, verdict.Unstored, verdict.StoredTwice, verdict.Late, verdict.SentAgain),
	reflect.TypeFor[history.Kind]():    values(history.Kinds...),
}

func values[T ~string](all ...T) (list []any) {
	for _, v := range all {
		list = append(list, string(v))
	}
	return list
}

func ruleIDs() (list []any) {
	for _, rule := range contract.Rules {
		list = append(list, string(rule.ID))
	}
	return list
}

// generate makes a schema. The working folder is the module's, where the comments are read.
func generate(t *testing.T, title string, written any) []byte {
	t.Helper()
	r := generator.Reflector{
		Anonymous: true,
		Mapper: func(of reflect.Type) *generator.Schema {
			if of == reflect.TypeFor[plan.Duration]() {
				return &generator.Schema{Type: "string", Pattern: `^([0-9.]+(h|m|s|ms|µs|ns))+$`}
			}
			if of == reflect.TypeFor[config.Command]() {
				return &generator.Schema{OneOf: []*generator.Schema{{Type: "string"}, {Type: "array", Items: &generator.Schema{Type: "string"}}}}
			}
			if all, ok := enums[of]; ok {
				return &generator.Schema{Type: "string", Enum: all}
			}
			return nil
		},
	}
	for _, folder := range []string{"harness/contract", "harness/plan", "harness/history", "harness/check", "harness/report", "scenarios/runner", "scenarios/catalogue"} {
		if err := r.AddGoComments("redial", folder); err != nil {
			t.Fatal(err)
		}
	}
	schema := r.Reflect(written)
	schema.Title = title
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// After a change of a written type, -update writes its schema anew.
func TestSchemasEqualTheGoTypes(t *testing.T) {
	t.Chdir("../../..")
	for _, p := range published {
		fresh := generate(t, p.title, p.written)
		if *update {
			if err := os.WriteFile(schemas+p.file, fresh, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(schemas + p.file)
		if err != nil || !bytes.Equal(kept, fresh) {
			t.Errorf("%s differs from the Go types (%v): go test ./scenarios/cmd/redial -run TestSchemas -update", p.file, err)
		}
		if bytes.Count(fresh, []byte(`"description"`)) < 10 {
			t.Errorf("%s has too few descriptions of its fields", p.file)
		}
	}
}

// conforms validates a text by the schema.
func conforms(t *testing.T, file string, text []byte) error {
	t.Helper()
	schema, err := validator.NewCompiler().Compile("../../schema/" + file)
	if err != nil {
		t.Fatal(err)
	}
	value, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// A sweep with bounds says what share of its points it has played, in the terminal and in JSON.
func TestSweepReportsItsShare(t *testing.T) {
	t.Parallel()
	written := filepath.Join(t.TempDir(), "sweep.json")
	o := redial(t, "check", "--lab", "virtual", "--step", "5", "--seed", "1", "--sweep", "single", "--points", "4", "--time-limit", "10m", "--json", written)
	text, err := os.ReadFile(written)
	if o.code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s%s", o.code, err, o.stdout, o.stderr)
	}
	var document report.Document
	if err := errors.Join(json.Unmarshal(text, &document), conforms(t, "report.schema.json", text)); err != nil {
		t.Fatal(err)
	}
	s := document.Scenarios[0]
	if share := fmt.Sprintf("%d of %d points", s.StoodFor, s.AllPoints); s.StoodFor < 4 || s.AllPoints < 1000 || !strings.Contains(o.stdout, share) {
		t.Errorf("%s lacks %q", o.stdout, share)
	}
}

// The files that the command writes conform to their schemas, and do not with a wrong key or a
// wrong value.
func TestOutputFitsItsSchema(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	written := filepath.Join(folder, "verdicts.json")
	o := redial(t, "check", "--lab", "virtual", "--step", "5", "--level", "recovery", "--seed", "18446744073709551615",
		"--scenario", "clean-drop,drop-before-any-event,client-moves", "--json", written, "--report", folder)
	saved, err := filepath.Glob(filepath.Join(folder, "step-5", "*.json"))
	if o.code != 1 || err != nil || len(saved) != 2 {
		t.Fatalf("exit %d, saved %v, %v: %s", o.code, saved, err, o.stderr)
	}
	killed := filepath.Join(folder, "kills.json")
	if o := redial(t, "defects", "no-unique", "--json", killed); o.code != 0 {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	if o := redial(t, "defects", "--list", "--json", killed); o.code != 3 {
		t.Errorf("--list with --json: exit %d", o.code)
	}
	for file, c := range map[string]struct {
		path     string
		mistakes map[string]string // replacements for texts in the file
	}{
		"report.schema.json": {written, map[string]string{
			`"target":`:            `"targte":`,
			`"lost":`:              `"lots": 1, "lost":`,
			`"verdict": "fail"`:    `"verdict": "failed"`,
			`"fail": 2`:            `"fail": "2"`,
			`"level": "recovery"`:  `"level": "best"`,
			`"seed": 184467440737`: `"seed": 0.5, "old": 184467440737`,
		}},
		"failure.schema.json": {saved[0], map[string]string{
			`"at": "0s"`:        `"at": 0`,
			`"kind": "began"`:   `"kind": "begun"`,
			`"client": "bob"`:   `"cleint": "bob"`,
			`"outcome": "fail"`: `"outcome": "failed"`,
			`"anomaly": "lost"`: `"anomaly": "gone"`,
			`"atEvent":`:        `"event":`,
			`"history":`:        `"events":`,
			`"clients":`:        `"pages": [], "clients":`,
		}},
		"defects.schema.json": {killed, map[string]string{`"caught": true`: `"caught": "yes"`, `"defects":`: `"kills":`}},
	} {
		text, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := conforms(t, file, text); err != nil {
			t.Errorf("%s: %v\n%s", file, err, text)
		}
		for right, wrong := range c.mistakes {
			if !strings.Contains(string(text), right) {
				t.Errorf("%s has no %s to be misspelt:\n%s", c.path, right, text)
			}
			if err := conforms(t, file, bytes.Replace(text, []byte(right), []byte(wrong), 1)); err == nil {
				t.Errorf("%s takes %s", file, wrong)
			}
		}
	}
}
