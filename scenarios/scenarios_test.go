package scenarios_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The example in the package doc must check a server from another module in at most 15
// lines, and must fail if the server is broken.
func TestFromAnotherModule(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds another module")
	}
	example := exampleInDoc(t)
	if lines := strings.Count(example, "\n"); lines > 15 {
		t.Errorf("the example has %d lines, want at most 15", lines)
	}
	server, err := os.ReadFile(filepath.Join("testdata", "chat.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if output, err := testOf(t, string(server), example, "."); err != nil {
		t.Errorf("a right server fails: %v\n%s", err, output)
	}
	broken := strings.Replace(string(server), "i := int(auth);", "i := int(auth) + 1;", 1)
	output, err := testOf(t, broken, example, "/clean-drop")
	if err == nil || !strings.Contains(output, "--- FAIL: TestReconnecting/clean-drop") || !strings.Contains(output, "does not show") {
		t.Errorf("a server that skips a row of each replay: %v\n%s", err, output)
	}
}

// The section in which a reader of the package doc finds the protocol must be in the README.
func TestDocNamesASectionOfTheREADME(t *testing.T) {
	doc, err := os.ReadFile("scenarios.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`README describes under "([^"]+)"`).FindSubmatch(doc)
	if section == nil || !strings.Contains(string(readme), "# "+string(section[1])+"\n") {
		t.Errorf("the README has no section %q", section)
	}
}

// exampleInDoc returns the indented code in the package doc.
func exampleInDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("scenarios.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for line := range strings.Lines(string(text)) {
		if after, ok := strings.CutPrefix(line, "//\t"); ok {
			code.WriteString(after)
		}
	}
	return code.String()
}

// testOf runs the example as the test of a server in another module, which uses the same
// versions of the libraries as the kit, in the scenarios that which matches.
func testOf(t *testing.T, server, example, which string) (output string, err error) {
	t.Helper()
	kit, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(kit, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(kit, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	own := regexp.MustCompile(`(?m)^(module|tool) .*$`).ReplaceAllString(string(module), "")
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/chat\n" + own + "\nrequire redial v0.0.0\n\nreplace redial => " + kit + "\n",
		"go.sum":  string(sums),
		"chat.go": server,
		"chat_test.go": `package chat

import (
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"redial/harness/contract"
	"redial/scenarios"
)

` + example,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("go", "test", "-mod=mod", "-vet=off", "-run", which, ".")
	command.Dir = folder
	text, err := command.CombinedOutput()
	return string(text), err
}
