package report

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
)

// hostile is the sample with control characters and markup in every free text.
func hostile() Report {
	r := sample()
	nasty := controls + script + "`" + "|" + "\n\r\n# heading"
	r.Target, r.Lab, r.Level = nasty, nasty, contract.Level(nasty)
	for i := range r.Results {
		result := &r.Results[i]
		result.ID += nasty
		result.Title, result.Column, result.Expected, result.Replay = nasty, nasty, check.Expectation(nasty), nasty
		result.Verdict.Reason = nasty
		result.Artifacts = []string{"javascript:alert(1)", nasty}
		for j := range result.Verdict.Findings {
			f := &result.Verdict.Findings[j]
			f.Expected, f.Observed, f.Message, f.Client = nasty, nasty, nasty, nasty
		}
		for j := range result.Events {
			e := &result.Events[j]
			e.Message += nasty
			e.Client += nasty
			e.Detail, e.Fault = nasty, nasty
			if e.Kind == history.FaultFired {
				e.FaultKind = "<script>\x1b[2J"
			}
			if e.Kind == history.ServerStarted {
				e.Kind = history.ServerStopped
			}
		}
	}
	return r
}

func TestHTMLExecutesNothing(t *testing.T) {
	allowed := map[string]bool{}
	for _, attribute := range strings.Fields(`lang charset name content http-equiv class id href title scope tabindex
		role aria-label aria-hidden xmlns viewbox width height x y x1 x2 y1 y2 cx cy r rx d transform`) {
		allowed[attribute] = true
	}
	for name, r := range map[string]Report{"sample": sample(), "hostile": hostile(), "gallery": gallery(), "empty": {}} {
		root, err := html.Parse(strings.NewReader(written(t, HTML, r)))
		if err != nil {
			t.Fatal(err)
		}
		elements := 0
		for node := range root.Descendants() {
			if node.Type != html.ElementNode {
				continue
			}
			elements++
			switch node.Data {
			case "script", "img", "iframe", "object", "embed", "link", "base", "form", "foreignobject":
				t.Errorf("%s: an element %s", name, node.Data)
			}
			for _, a := range node.Attr {
				if !allowed[strings.ToLower(a.Key)] && !strings.HasPrefix(a.Key, "data-") {
					t.Errorf("%s: <%s> has the attribute %s", name, node.Data, a.Key)
				}
				if a.Key == "href" && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("%s: a link out of the page: %q", name, a.Val)
				}
			}
		}
		if elements < 20 {
			t.Errorf("%s: only %d elements", name, elements)
		}
	}
}

// Escaping must not remove a hostile message: the page still shows its text.
func TestHTMLShowsMarkupAsText(t *testing.T) {
	root, err := html.Parse(strings.NewReader(written(t, HTML, sample())))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for node := range root.Descendants() {
		if node.Type == html.TextNode {
			text.WriteString(node.Data)
		}
	}
	for _, want := range []string{script, korean, `escape \x1b[31m`, `bytes \xff\xfe`, `back \u202eward`, "(300 characters)"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the page does not show %q", want)
		}
	}
}

func TestHTMLAsksNobody(t *testing.T) {
	page := written(t, HTML, gallery())
	for _, word := range []string{"url(", "@import", "src=", "https://", "http://"} {
		rest := strings.ReplaceAll(page, "http://www.w3.org/2000/svg", "")
		if strings.Contains(rest, word) {
			t.Errorf("the page contains %q", word)
		}
	}
}

func wellFormed(t *testing.T, document string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(document))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
	}
}
