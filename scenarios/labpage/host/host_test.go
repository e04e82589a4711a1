package host

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/scenarios/labpage"
)

const small = `{"step":"7","plan":{"seed":1,"clients":[{"name":"alice"}],"script":[{"do":"open","client":"alice"},{"do":"await-connected"},{"do":"send","client":"alice","text":"hi"}]},"view":{"language":"en"}}`

func ask(t *testing.T, path, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://localhost:3000"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestOnlyThePageItselfMayPlay(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*http.Request)
		body   string
		status int
	}{
		"the page":                       {func(r *http.Request) { r.Header.Set("Origin", "http://localhost:3000") }, small, http.StatusOK},
		"a program":                      {nil, small, http.StatusOK},
		"by the address":                 {func(r *http.Request) { r.Host = "127.0.0.1:3000" }, small, http.StatusOK},
		"by IPv6":                        {func(r *http.Request) { r.Host = "[::1]:3000" }, small, http.StatusOK},
		"another site":                   {func(r *http.Request) { r.Header.Set("Origin", "https://example.com") }, small, http.StatusForbidden},
		"another port":                   {func(r *http.Request) { r.Header.Set("Origin", "http://localhost:4000") }, small, http.StatusForbidden},
		"a file":                         {func(r *http.Request) { r.Header.Set("Origin", "null") }, small, http.StatusForbidden},
		"another site without an origin": {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, small, http.StatusForbidden},
		"a name that leads here":         {func(r *http.Request) { r.Host = "rebound.example.com:3000" }, small, http.StatusMisdirectedRequest},
		"a form":                         {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, small, http.StatusUnsupportedMediaType},
		"too much":                       {nil, `{"step":"` + strings.Repeat("x", mostBody) + `"}`, http.StatusBadRequest},
		"no request":                     {nil, `[]`, http.StatusBadRequest},
	} {
		if w := ask(t, "/play", c.body, c.change); w.Code != c.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestThePagesFilesAreServedAndNothingElse(t *testing.T) {
	for path, status := range map[string]int{
		"/": 200, "/app.js": 200, "/drawing.css": 200, "/tour.json": 200, "/play": 200, "/host.go": 404, "/static/app.js": 404, "/nothing": 404,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost:3000"+path, nil)
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestTheSamePlanIsPlayedForReal(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: nothing is played for real")
	}
	w := ask(t, "/play-real", small, nil)
	var r labpage.Response
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || r.Error != "" {
		t.Fatalf("%v %s", err, w.Body)
	}
	if r.Lab != "real" || r.Outcome != check.Pass || len(r.Log) != 1 || len(r.Frames) == 0 || !strings.HasPrefix(r.SVG, "<svg") {
		t.Errorf("%s: %s %s, %d rows, %d frames", r.Lab, r.Outcome, r.Reason, len(r.Log), len(r.Frames))
	}
	w = ask(t, "/play-real", strings.Replace(small, `"7"`, `"published-7"`, 1), nil)
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || !strings.Contains(r.Error, "virtual lab only") {
		t.Errorf("%v %s", err, w.Body)
	}
}
