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
)

const patience = time.Minute

// asStep in the environment makes the test binary be `go run ./steps`.
const asStep = "REDIAL_TEST_AS_STEP"

func TestMain(m *testing.M) {
	if os.Getenv(asStep) != "" {
		os.Exit(Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func TestEveryStepServesItsPageAndTheBundle(t *testing.T) {
	for _, lesson := range All {
		t.Run(lesson.Number, func(t *testing.T) {
			found, err := Find(lesson.Number)
			if err != nil || found.Title != lesson.Title {
				t.Fatalf("Find gives %q, %v", found.Title, err)
			}
			handler, closer, err := Handler(lesson, Settings{DataDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer closer.Close()
			server := httptest.NewServer(handler)
			defer server.Close()
			if status, page := get(t, server.URL+"/"); status != http.StatusOK || page != string(lesson.Page) {
				t.Errorf("GET / is %d and %d bytes, want 200 and the page's %d", status, len(page), len(lesson.Page))
			}
			if status, _ := get(t, server.URL+"/chat.db"); status != http.StatusNotFound {
				t.Errorf("GET /chat.db is %d, want 404", status)
			}
			status, body := get(t, server.URL+"/socket.io/socket.io.js")
			bundle, err := Bundle()
			switch {
			case err == nil && (status != http.StatusOK || body != string(bundle)):
				t.Errorf("the bundle is %d and %d bytes, want 200 and %d", status, len(body), len(bundle))
			case err != nil && (status != http.StatusNotFound || !strings.Contains(body, "make client")):
				t.Errorf("without a bundle it is %d %q, want 404 and the command that fetches it", status, body)
			}
		})
	}
}

func TestWithoutTheBundleTheCommandIsNamed(t *testing.T) {
	if !strings.Contains(ErrNoBundle.Error(), "make client") || strings.Contains(ErrNoBundle.Error(), "\n") {
		t.Errorf("%q, want one line with the command", ErrNoBundle)
	}
}

func get(t *testing.T, url string) (int, string) {
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
	return response.StatusCode, string(body)
}

// The pages have one stylesheet and one script that explains them, which every step serves.
func TestThePagesLookAlike(t *testing.T) {
	for _, lesson := range All {
		if !bytes.Contains(lesson.Page, []byte(`<link rel="stylesheet" href="/style.css">`)) || bytes.Contains(lesson.Page, []byte("<style")) {
			t.Errorf("step %s has a style of its own", lesson.Number)
		}
		handler, closer, err := Handler(lesson, Settings{DataDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(handler)
		if code, style := get(t, server.URL+"/style.css"); code != http.StatusOK || !strings.Contains(style, "prefers-color-scheme: dark") {
			t.Errorf("step %s serves the stylesheet so: %d %.60q", lesson.Number, code, style)
		}
		explains := bytes.Contains(lesson.Page, []byte(`<script src="/explain.js" data-for="people"></script>`))
		if explains == (lesson.Number == "1") { // which has nothing to explain
			t.Errorf("step %s loads explain.js: %t", lesson.Number, explains)
		}
		if code, script := get(t, server.URL+"/explain.js"); code != http.StatusOK || !strings.Contains(script, "다시 연결됨") {
			t.Errorf("step %s serves explain.js so: %d, with %d bytes", lesson.Number, code, len(script))
		}
		server.Close()
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
		if !bytes.Contains(lesson.Page, []byte("<small>Step "+lesson.Number+"</small>"+lesson.Title+"</h1>")) {
			t.Errorf("step %s does not say that it is %s", lesson.Number, lesson.Title)
		}
		if bytes.Contains(lesson.Page, []byte("innerHTML =")) {
			t.Errorf("step %s makes HTML of text", lesson.Number)
		}
	}
}

func TestTheLockFileIsPinnedAndNamesNoHost(t *testing.T) {
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
