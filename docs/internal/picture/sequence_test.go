package picture

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/report"
)

func at(ms int) plan.Duration { return plan.Duration(time.Duration(ms) * time.Millisecond) }

// told is a run in which alice sends more messages than the picture draws, and bob shows all
// of them.
func told(messages int) []history.Event {
	events := []history.Event{
		{Kind: history.ServerStarted}, {At: at(1), Kind: history.Opened, Client: "alice", View: 1}, {At: at(1), Kind: history.Opened, Client: "bob", View: 1},
		{At: at(2), Kind: history.Connected, Client: "alice"}, {At: at(3), Kind: history.Connected, Client: "bob"},
	}
	for n := range messages {
		text := fmt.Sprintf("burst %d", n+1)
		events = append(events, history.Event{At: at(10 + n), Kind: history.Sent, Client: "alice", Message: text})
	}
	for n := range messages {
		text := fmt.Sprintf("burst %d", n+1)
		events = append(events, history.Event{At: at(100 + n), Kind: history.Shown, Client: "bob", Message: text, Offset: int64(n + 1)})
	}
	return events
}

func drawn(t *testing.T, language report.Language, events []history.Event, findings ...check.Finding) string {
	t.Helper()
	svg := Sequence(language, "a run", events, findings)
	if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
		t.Fatalf("not well-formed: %v", err)
	}
	return svg[strings.Index(svg, "</style>"):]
}

const elsewhere = `<circle class="tail"`

// Every arrow to a page must continue an arrow to the server, or have the sign of a message
// whose sending is left out.
func TestNoArrowArrivesWithoutHavingBeenSent(t *testing.T) {
	if svg := drawn(t, report.English, told(3)); strings.Contains(svg, elsewhere) {
		t.Error("everything is drawn, and something was sent elsewhere")
	}
	events := told(20)
	wrong := check.Finding{Anomaly: check.Reordered, Client: "bob", Message: "burst 10", Event: 5 + 20 + 9}
	svg := drawn(t, report.English, events, wrong)
	// One sign belongs to the arrow, the other one to the legend.
	if n := strings.Count(svg, elsewhere); n != 2 {
		t.Errorf("the sending of burst 10 is not drawn, and %d arrows say so", n)
	}
	if !strings.Contains(svg, ">"+report.English.Word("key elsewhere")+"<") {
		t.Error("the legend does not explain it")
	}
	up, down := 0, 0
	for _, m := range regexp.MustCompile(`"message[a-z ]*" d="M([\d.]+) [\d.]+H([\d.]+)m`).FindAllStringSubmatch(svg[:strings.Index(svg, `<path class="axis"`)], -1) {
		from, _ := strconv.ParseFloat(m[1], 64)
		if to, _ := strconv.ParseFloat(m[2], 64); from < gutter+headWide && to > from {
			up++
		} else {
			down++
		}
	}
	if up == 0 || down > up {
		t.Errorf("%d arrows arrive, of %d that were sent", down, up)
	}
}

// Two kinds of anomaly must be drawn differently, each with a row in the legend.
func TestWhatIsWrongLooksOtherwise(t *testing.T) {
	signs := map[string]check.Anomaly{}
	for _, a := range []check.Anomaly{check.Lost, check.Duplicated, check.Reordered, check.Phantom} {
		for _, l := range report.Languages {
			svg := drawn(t, l, told(2), check.Finding{Anomaly: a, Client: "bob", Message: "burst 1", Event: 7})
			if !strings.Contains(svg, ">"+l.Anomaly(a)+"<") {
				t.Errorf("%s: the legend does not explain %s", l, a)
			}
			if strings.Count(svg, `class="halo"`) != 2 { // in the diagram and in the legend
				t.Errorf("%s is marked %d times", a, strings.Count(svg, `class="halo"`))
			}
		}
		sign := report.FindingSign(a, 0, 0)
		if other, same := signs[sign]; same {
			t.Errorf("%s looks like %s", a, other)
		}
		signs[sign] = a
	}
	if svg := drawn(t, report.English, told(2)); strings.Contains(svg, `class="halo"`) {
		t.Error("nothing is wrong, and marked")
	}
}

func TestThreeLanesFitATelephone(t *testing.T) {
	for _, l := range report.Languages {
		svg := Sequence(l, "a run", told(3), nil)
		var root struct {
			Width float64 `xml:"width,attr"`
		}
		if err := xml.Unmarshal([]byte(svg), &root); err != nil || root.Width > 390 {
			t.Errorf("a picture of three lanes is %v wide: %v", root.Width, err)
		}
	}
	if svg := drawn(t, report.Korean, told(1)); !strings.Contains(svg, ">연결됨<") || strings.Contains(svg, ">connected<") {
		t.Error("a Korean picture has other words")
	}
	if svg := drawn(t, report.English, []history.Event{{Kind: history.Sent, Client: "<script>", Message: "<script>"}}); strings.Contains(svg, "<script") {
		t.Error("text is markup")
	}
}
