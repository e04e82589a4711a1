package lessons

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redial/harness/client/browser/chromiumtest"
)

const patience = time.Minute

// asStep is the environment variable that makes the test binary run as `go run ./steps`.
const asStep = "REDIAL_TEST_AS_STEP"

func TestMain(m *testing.M) {
	if os.Getenv(asStep) != "" {
		os.Exit(Main(os.Args[1:]))
	}
	os.Exit(chromiumtest.Main(m))
}

func TestEveryStepServesItsPage(t *testing.T) {
	for _, lesson := range All {
		t.Run(lesson.Number, func(t *testing.T) {
			found, err := Find(lesson.Number)
			if err != nil || found.Title != lesson.Title {
				t.Fatalf("Find returns %q, %v", found.Title, err)
			}
			handler, closer, err := Handler(lesson, Settings{DataDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer closer.Close()
			server := httptest.NewServer(handler)
			defer server.Close()
			response, page := get(t, server.URL+"/")
			if response.StatusCode != http.StatusOK || page != string(lesson.Page) || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("GET / returns %s, %v and %d bytes, want the page's %d", response.Status, response.Header, len(page), len(lesson.Page))
			}
			if response, _ := get(t, server.URL+"/chat.db"); response.StatusCode != http.StatusNotFound {
				t.Errorf("GET /chat.db returns %s, want 404", response.Status)
			}
			response, body := get(t, server.URL+"/socket.io/socket.io.js")
			bundle, err := Bundle()
			switch {
			case err == nil && (response.StatusCode != http.StatusOK || body != string(bundle)):
				t.Errorf("the bundle is %s and %d bytes, want 200 and %d", response.Status, len(body), len(bundle))
			case err != nil && (response.StatusCode != http.StatusNotFound || !strings.Contains(body, "make client")):
				t.Errorf("the missing bundle is %s %q, want 404 and the command that fetches it", response.Status, body)
			}
			if response, style := get(t, server.URL+"/style.css"); response.StatusCode != http.StatusOK || !strings.Contains(style, "prefers-color-scheme: dark") {
				t.Errorf("the stylesheet is %s %.60q", response.Status, style)
			}
			if response, script := get(t, server.URL+"/explain.js"); response.StatusCode != http.StatusOK || !strings.Contains(script, "다시 연결됨") {
				t.Errorf("explain.js is %s with %d bytes", response.Status, len(script))
			}
		})
	}
}

func TestMissingBundleErrorNamesTheCommand(t *testing.T) {
	if !strings.Contains(ErrNoBundle.Error(), "make client") || strings.Contains(ErrNoBundle.Error(), "\n") {
		t.Errorf("%q, want one line with the command", ErrNoBundle)
	}
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestPagesShareStylesheetAndScript(t *testing.T) {
	for _, lesson := range All {
		if !bytes.Contains(lesson.Page, []byte(`<link rel="stylesheet" href="/style.css">`)) || bytes.Contains(lesson.Page, []byte("<style")) {
			t.Errorf("step %s has a style of its own", lesson.Number)
		}
		explains := bytes.Contains(lesson.Page, []byte(`<script src="/explain.js" data-for="people"></script>`))
		if explains == (lesson.Number == "1") { // which has nothing to explain
			t.Errorf("step %s loads explain.js: %t", lesson.Number, explains)
		}
		if !bytes.Contains(lesson.Page, []byte("<small>Step "+lesson.Number+"</small>"+lesson.Title+"</h1>")) {
			t.Errorf("the heading of step %s is not its number and %q", lesson.Number, lesson.Title)
		}
		if bytes.Contains(lesson.Page, []byte("innerHTML =")) {
			t.Errorf("step %s makes HTML of text", lesson.Number)
		}
	}
}

func TestLockFileIsPinnedAndNamesNoHost(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Resolved, Integrity string }
	}
	if err := json.Unmarshal(content, &lock); err != nil {
		t.Fatal(err)
	}
	if got := lock.Packages["node_modules/socket.io-client"].Version; got != ClientVersion {
		t.Errorf("socket.io-client is pinned to %q, want %s", got, ClientVersion)
	}
	for name, p := range lock.Packages {
		if p.Resolved != "" || name != "" && p.Integrity == "" {
			t.Errorf("%s has resolved %q and integrity %q, want none and some", name, p.Resolved, p.Integrity)
		}
	}
	if bytes.Contains(content, []byte("://")) && bytes.Contains(content, []byte(".tgz")) {
		t.Error("the lock file names an archive's address")
	}
}
