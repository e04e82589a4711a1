package labpage

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"redial/harness/plan"
)

func sharedDocument(t testing.TB) Document {
	t.Helper()
	p, err := plan.Decode([]byte(ordinary))
	if err != nil {
		t.Fatal(err)
	}
	p.Script[4].Text = "a `quoted` \"text\" \\ 안녕"
	return Document{Step: "6", Plan: p}
}

func TestALinkHoldsTheDocument(t *testing.T) {
	d := sharedDocument(t)
	fragment, err := d.Fragment()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{fragment, "#" + fragment, "http://localhost:3000/?lang=ko#" + fragment} {
		if again, err := ParseLink(link); err != nil || !reflect.DeepEqual(again, d) {
			t.Errorf("%.60s: %v %+v", link, err, again)
		}
	}
	if played := Play(context.Background(), Request{Link: "#" + fragment}); played.Error != "" || played.Step != "6" || len(played.Plan.Script) != len(d.Plan.Script) {
		t.Errorf("the link plays %s%+v", played.Error, played.Plan)
	}
}

func TestALinkThatIsNoneIsRefused(t *testing.T) {
	bomb, _ := Document{Step: strings.Repeat("5", 4<<20)}.Fragment()
	whole, _ := sharedDocument(t).Fragment()
	for link, want := range map[string]string{
		"":                      "shares no plan",
		"http://localhost:3000": "shares no plan",
		"#plan=%%%":             "not whole",
		"#plan=AAAA":            "not whole",
		whole[:len(whole)-20]:   "not whole",
		"#plan=" + strings.Repeat("A", mostPlan+1): "there is room for 64",
		bomb: "more than 64 KB",
	} {
		if _, err := ParseLink(link); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v, want %q", link, err, want)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	whole, _ := sharedDocument(f).Fragment()
	f.Add(whole)
	f.Add("#plan=AAAA")
	f.Fuzz(func(t *testing.T, link string) {
		d, err := ParseLink(link)
		if err != nil {
			return
		}
		if _, err := d.Fragment(); err != nil {
			t.Errorf("%q is read and cannot be written: %v", link, err)
		}
	})
}

// The test that the page prints must compile, and fail if the run fails.
func TestTheTestOfADocumentFailsWhereItsRunDoes(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it builds a test")
	}
	d := sharedDocument(t)
	text, err := d.Test()
	if err != nil {
		t.Fatal(err)
	}
	d.Step = "5" // this step loses messages that are sent during a disconnection
	fails, err := d.Test()
	if err != nil {
		t.Fatal(err)
	}
	text += strings.Split(strings.Replace(fails, "TestFoundInTheLab", "TestThatFails", 1), "\n)\n")[1]
	// The file is in a package of this module only for the build: a killed test would leave it behind.
	temporary := t.TempDir()
	file, overlay, program := filepath.Join(temporary, "found_test.go"), filepath.Join(temporary, "overlay.json"), filepath.Join(temporary, "found.test")
	here, err := filepath.Abs("testdata/found/found_test.go")
	if err != nil {
		t.Fatal(err)
	}
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{here: file}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file, []byte(text), 0o644), os.WriteFile(overlay, replaced, 0o644)); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", program, "./testdata/found").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	output, err := exec.Command(program, "-test.v").CombinedOutput()
	if err == nil || !strings.Contains(string(output), "--- PASS: TestFoundInTheLab") || !strings.Contains(string(output), "--- FAIL: TestThatFails") || !strings.Contains(string(output), "does not show") {
		t.Errorf("%v\n%s", err, output)
	}
}
