package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"redial/harness/client"
	"redial/harness/history"
)

func TestRefreshOpensANewView(t *testing.T) {
	url := serveStep(t, "7")
	alice := watch(t, "alice", url, tutorial, nil).opens()
	alice.sends("kept")
	from := alice.until(0, "shown kept")
	left := false
	if err := alice.Refresh(t.Context(), func() { left = alice.lines(from)[0] == "closed" }); err != nil {
		t.Fatal(err)
	}
	if !left {
		t.Error("left was not called when the old view was closed")
	}
	alice.until(from, "shown kept")
	if got := alice.Status(); got.View != 2 || got.Shown != 1 || !got.Open {
		t.Errorf("got %+v", got)
	}
	if err := alice.Open(t.Context()); !errors.Is(err, client.ErrOpen) {
		t.Errorf("Open of an open client: %v", err)
	}
}

func TestEnterSkipsOptionalStepsAfterARefresh(t *testing.T) {
	url := serve(t, `<div id="login"><input id="name"><button id="join">Join</button></div><div id="chat" hidden>`+form+`</div>
	<script>
		const enter = () => { document.getElementById("login").remove(); document.getElementById("chat").hidden = false; add(sessionStorage.name + " has entered"); };
		document.getElementById("join").onclick = () => { sessionStorage.name = document.getElementById("name").value; setTimeout(enter, 50); };
		if (sessionStorage.name) enter();
		onkeydown = ({ key }) => add("pressed " + key);
	</script>`)
	spec := tutorial
	spec.Enter = []Step{
		{Fill: "#name", With: "{{client}} of view {{view}}", Optional: true}, {Press: "Tab"},
		{Click: "#join", Optional: true}, {Await: "#chat"},
	}
	alice := watch(t, "alice", url, spec, nil).opens()
	alice.until(alice.until(0, "shown pressed Tab"), "shown alice of view 1 has entered")
	if err := alice.Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	alice.until(alice.until(0, "closed"), "shown alice of view 1 has entered")
	alice.tab.flush()
	if again := alice.lines(alice.until(0, "closed")); slices.Contains(again, "shown pressed Tab") {
		t.Errorf("a key was pressed after a skipped step: %q", again)
	}
}

func TestOpenNamesWhatIsNoSelector(t *testing.T) {
	for want, spec := range map[string]Spec{
		`"li[" is no CSS selector`:   {Messages: "li["},
		`".who[" is no CSS selector`: {Messages: "li", Without: ".who["},
	} {
		err := watch(t, "alice", serve(t, form), spec, nil).Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestOpenFailsWithoutAUsableInput(t *testing.T) {
	for name, c := range map[string]struct{ html, want string }{
		"no input":      {`<ul id="messages"></ul>`, `"#input" on the page /: there is none within`},
		"hidden input":  {`<input id="input" hidden>`, `it is not visible within`},
		"an error page": {"", "GET / answers 404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, c.html)
			if c.html == "" {
				server := httptest.NewServer(http.NotFoundHandler())
				t.Cleanup(server.Close)
				url = server.URL
			}
			alice := watch(t, "alice", url, tutorial, nil)
			alice.elementBound = time.Second
			err := alice.Open(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if status := alice.Status(); status.Open {
				t.Errorf("the client is open: %+v", status)
			}
		})
	}
}

func TestRefreshWithoutAServerIsAConnectionError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writePage(w, form) }))
	alice := watch(t, "alice", server.URL, tutorial, nil).opens()
	server.Close()
	for range 2 {
		err := alice.Refresh(t.Context(), nil)
		var refused interface{ Timeout() bool }
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v", err)
		}
	}
	if got := fmt.Sprint(alice.lines(0)); got != "[opened closed]" {
		t.Errorf("got %s", got)
	}
}

func TestRefreshReplacesAnOpenThatStillRuns(t *testing.T) {
	asked, answer := make(chan bool, 10), make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			asked <- true
			select {
			case <-answer:
			case <-r.Context().Done():
			}
		}
		writePage(w, form)
	}))
	t.Cleanup(server.Close)
	alice := watch(t, "alice", server.URL, tutorial, nil)
	first := make(chan error)
	go func() { first <- alice.Open(t.Context()) }()
	<-asked
	second := make(chan error, 1)
	go func() { second <- alice.Refresh(t.Context(), nil) }()
	if err := <-first; !errors.Is(err, client.ErrReloaded) {
		t.Errorf("the first: %v", err)
	}
	select {
	case <-asked:
	case err := <-second:
		t.Fatalf("the second, before it has requested the page: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the page was not requested again")
	}
	close(answer)
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}
	if got := fmt.Sprint(alice.lines(0)); got != "[opened]" {
		t.Errorf("got %s", got)
	}
}

func TestPageThatReloadsItselfIsEnteredAgain(t *testing.T) {
	alice := watch(t, "alice", serveStep(t, "7"), tutorial, nil).opens()
	alice.sends("kept")
	from := alice.until(0, "shown kept")
	if _, err := alice.tab.evaluate(alice.tab.ctx, `() => { location.reload(); return ""; }`); err != nil {
		t.Fatal(err)
	}
	from = alice.until(from, "closed")
	alice.until(from, "shown kept")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !alice.Status().Open && sleep(ctx, pollEvery) == nil {
	}
	alice.sends("after")
	alice.until(from, "shown after")
}

func TestADroppedRequestIsNoted(t *testing.T) {
	var noted []string
	alice := New(client.Options{Record: func(e history.Event) { noted = append(noted, e.Detail) }}, tutorial, nil)
	for _, failure := range []string{"net::ERR_ABORTED", networkChanged} {
		alice.observe(new(tab), &network.EventLoadingFailed{Type: network.ResourceTypeScript, ErrorText: failure})
	}
	if len(noted) != 1 || !strings.Contains(noted[0], networkChanged) {
		t.Errorf("noted: %q", noted)
	}
}
