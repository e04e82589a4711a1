package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/history"
)

func drawn(t *testing.T, from timeline) (detail, overview string, leftOut int) {
	t.Helper()
	detail, leftOut, _ = from.detail()
	overview = from.overview()
	wellFormed(t, detail)
	wellFormed(t, overview)
	return detail, overview, leftOut
}

func TestTimelineIsBounded(t *testing.T) {
	for _, n := range []int{500, 20000} {
		events, finding := crowd(n)
		if finding.Event < 0 {
			t.Fatal("the sample has no offence")
		}
		detail, overview, leftOut := drawn(t, timeline{Events: events, Offence: &finding})
		if leftOut != len(events)-eventsDrawn {
			t.Errorf("%d of %d events left out", leftOut, len(events))
		}
		if len(detail) > 130<<10 || len(overview) > 500<<10 {
			t.Errorf("with %d events the drawings take %d and %d bytes", n, len(detail), len(overview))
		}
		if got := strings.Count(detail, `data-kind="finding"`); got != 1 {
			t.Errorf("%d offences are marked", got)
		}
		if !strings.Contains(detail, ` data-event="`+strconv.Itoa(finding.Event)+`"`) || !strings.Contains(detail, ` bad"`) {
			t.Error("the way of the offending message is not drawn")
		}
	}
}

func TestTimelineMarksWhatIsMissing(t *testing.T) {
	f := sample().Results[1].Verdict.Findings[0]
	detail, _, leftOut := drawn(t, timeline{Events: halfOpenHistory(), Offence: &f})
	if leftOut != 0 {
		t.Errorf("%d events of a small run are left out", leftOut)
	}
	for _, want := range []string{`class="finding finding-lost"`, `class="absent"`, `class="fault-name">half-open<`, `class="finding-label"`} {
		if strings.Count(detail, want) != 1 {
			t.Errorf("%q occurs %d times", want, strings.Count(detail, want))
		}
	}
	if detail, _, _ := drawn(t, timeline{Events: halfOpenHistory()}); strings.Contains(detail, `data-kind="finding"`) {
		t.Error("an offence is marked where there is none")
	}
}

// A history comes from a file, so no event in it may make the drawing fail or leave its frame.
func TestTimelineTakesAnything(t *testing.T) {
	odd := []history.Event{
		{Kind: history.Shown, Client: "x"}, {Kind: history.Closed, Client: "y"}, {Kind: history.FaultHealed},
		{Kind: "unheard of", Client: script}, {Kind: history.Acknowledged, Message: "never sent"}, {Kind: history.ServerStopped},
	}
	for _, events := range [][]history.Event{nil, odd, halfOpenHistory(), odd[:1]} {
		for _, at := range []int{-1, 0, 3, 99} {
			for _, anomaly := range []check.Anomaly{check.Lost, check.Phantom, check.Unstored, check.StoredTwice, check.Late} {
				for _, client := range []string{"", "x", "bob", "nobody"} {
					detail, overview, _ := drawn(t, timeline{Events: events, Offence: &check.Finding{Anomaly: anomaly, Client: client, Message: script, Event: at}})
					inFrame(t, detail)
					inFrame(t, overview)
				}
			}
		}
	}
}

// inFrame asserts that no shape begins left of, above or right of the drawing.
func inFrame(t *testing.T, svg string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	limit := map[string]float64{}
	for {
		token, err := decoder.Token()
		if err != nil {
			return
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			var x, y float64
			if n, _ := fmt.Sscanf(a.Value, "translate(%f %f)", &x, &y); n == 2 { // its content is centred on that point
				if x < 0 || x > limit["x"] || y < 0 || y > limit["y"] {
					t.Fatalf("a sign is at %v %v, outside of %v", x, y, limit)
				}
				if err := decoder.Skip(); err != nil {
					t.Fatal(err)
				}
				break
			}
			value, err := strconv.ParseFloat(a.Value, 64)
			if err != nil {
				continue
			}
			axis := strings.TrimRight(strings.TrimPrefix(a.Name.Local, "c"), "12")
			switch {
			case start.Name.Local == "svg" && a.Name.Local == "width":
				limit["x"] = value
			case start.Name.Local == "svg" && a.Name.Local == "height":
				limit["y"] = value
			case (axis == "x" || axis == "y") && (value < 0 || value > limit[axis]):
				t.Fatalf("<%s> has %s=%v, outside of %v", start.Name.Local, a.Name.Local, value, limit[axis])
			}
		}
	}
}

func TestManyClientsKeepTheConcernedOnes(t *testing.T) {
	var events []history.Event
	for i := range 200 {
		events = append(events, history.Event{At: at(i), Kind: history.Opened, Client: "client-" + strconv.Itoa(i), View: 1})
	}
	events = append(events,
		history.Event{At: at(300), Kind: history.Sent, Client: "client-150", Message: "m"},
		history.Event{At: at(400), Kind: history.Shown, Client: "client-199", Message: "m"})
	detail, _, hidden := timeline{Events: events, Offence: &check.Finding{
		Client: "client-199", Message: "m", Anomaly: check.Duplicated, Event: 201}}.detail()
	if hidden != 200-(lanesDrawn-2) {
		t.Errorf("%d clients hidden", hidden)
	}
	for _, name := range []string{">client-150<", ">client-199<"} {
		if !strings.Contains(detail, name) {
			t.Errorf("%s has no lane", name)
		}
	}
}

// TestGallery writes pages for inspection by eye if REPORT_GALLERY names a folder.
func TestGallery(t *testing.T) {
	folder := os.Getenv("REPORT_GALLERY")
	if folder == "" {
		t.Skip("REPORT_GALLERY names no folder")
	}
	for name, r := range map[string]Report{"gallery": gallery(), "sample": sample(), "empty": {}} {
		if err := os.WriteFile(folder+"/"+name+".html", []byte(written(t, HTML, r)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkHTML(b *testing.B) {
	r := gallery()
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		if err := HTML(&out, r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len()), "page-bytes")
}

// The offending message's events are drawn, however long ago it was sent and however many
// events came between.
func TestTimelineKeepsTheOffendingMessage(t *testing.T) {
	events := []history.Event{{Kind: history.Sent, Client: "alice", Message: "early"}}
	for i := range 3000 {
		events = append(events, history.Event{At: at(i), Kind: history.Shown, Client: "bob", Message: "m" + strconv.Itoa(i)})
	}
	events = append(events, history.Event{At: at(9000), Kind: history.Shown, Client: "bob", Message: "early"})
	detail, _, _ := drawn(t, timeline{Events: events, Offence: &check.Finding{
		Anomaly: check.Reordered, Client: "bob", Message: "early", Event: len(events) - 1}})
	if strings.Count(detail, ` data-message="early" `) < 3 || strings.Count(detail, ` bad"`) != 1 || strings.Contains(detail, ` bad elsewhere`) {
		t.Error("the way of a message that was sent long before is not drawn")
	}
}
