package report

import (
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// withTraffic derives frames and connections from which the events could have come.
func withTraffic(events []history.Event) history.Traffic {
	var t history.Traffic
	number := map[string]int{}
	current := map[string]int{} // index of the connection
	add := func(client string, direction plan.Direction, left, at plan.Duration, lost bool, text string) {
		number[client+string(direction)]++
		n := number[client+string(direction)]
		t.Frames = append(t.Frames, history.Frame{
			Passed:  plan.Passed{Client: client, Connection: 1, Direction: direction, Number: n},
			Overall: n, Left: left, At: at, Lost: lost, Type: "text", Size: len(text) + 2, Text: text,
		})
	}
	packet := func(message string) string {
		text, _ := json.Marshal(message)
		return `42["chat message",` + string(text) + `]`
	}
	sent := map[string]plan.Duration{}
	const way = plan.Duration(200 * time.Microsecond)
	for _, e := range events {
		switch e.Kind {
		case history.Connected:
			current[e.Client] = len(t.Connections)
			t.Connections = append(t.Connections, history.Connection{Client: e.Client, Number: 1, Opened: e.At - 4*way})
			add(e.Client, plan.Up, e.At-2*way, e.At-way, false, "40")
			add(e.Client, plan.Down, e.At-way, e.At, false, `40{"sid":"x"}`)
		case history.Disconnected:
			if i, ok := current[e.Client]; ok {
				t.Connections[i].Ended, t.Connections[i].Noticed = e.At, e.At+plan.Duration(40*time.Second)
			}
		case history.Sent:
			sent[e.Message] = e.At
			add(e.Client, plan.Up, e.At, e.At+way, false, packet(e.Message))
		case history.Shown, history.Repeated:
			add(e.Client, plan.Down, max(sent[e.Message], e.At-way), e.At, false, packet(e.Message))
		case history.Acknowledged:
			add(e.Client, plan.Down, e.At-way, e.At, false, `431[]`)
		}
	}
	return t
}

// elements returns the start tags with a data-kind, as maps of their attributes; "tag" is the
// name, and "title" the text of its title.
func elements(t testing.TB, svg string) (list []map[string]string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	inTitle := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return list
		}
		switch token := token.(type) {
		case xml.StartElement:
			inTitle = token.Name.Local == "title"
			found := map[string]string{"tag": token.Name.Local}
			for _, a := range token.Attr {
				found[a.Name.Local] = a.Value
			}
			if found["data-kind"] != "" {
				list = append(list, found)
			}
		case xml.CharData:
			if inTitle && len(list) > 0 {
				list[len(list)-1]["title"] += string(token)
			}
		case xml.EndElement:
			inTitle = false
		}
	}
}

func TestSceneGolden(t *testing.T) {
	events := halfOpenHistory()
	findings := []check.Finding{sample().Results[1].Verdict.Findings[0]}
	for _, l := range Languages {
		svg := Scene{Events: events, Traffic: withTraffic(events), Findings: findings, Language: l, Keeps: 2 * time.Minute}.Draw()
		wellFormed(t, svg)
		golden(t, "scene-"+string(l)+".svg", svg)
	}
	svg := Scene{Events: events, Findings: findings, Width: 370, Scale: Linear}.Draw()
	golden(t, "scene-narrow.svg", svg)
}

func TestSceneEscapesWhatOthersSaid(t *testing.T) {
	const evil = `</text><script>alert("x")</script>` + "\x00\u202e"
	events := []history.Event{
		{Kind: history.ServerStarted, Node: evil, Detail: evil},
		{At: at(1), Kind: history.Opened, Client: evil, View: 2}, {At: at(2), Kind: history.Connected, Client: evil},
		{At: at(3), Kind: history.Sent, Client: evil, Message: evil}, {At: at(4), Kind: history.Shown, Client: evil, Message: evil, Offset: 1},
		{At: at(5), Kind: history.FaultFired, Client: evil, FaultKind: evil, Detail: evil}, {At: at(6), Kind: history.Disconnected, Client: evil, Detail: evil},
	}
	finding := check.Finding{Anomaly: evil, Rule: evil, Client: evil, Message: evil, Expected: evil, Observed: evil, Event: 4}
	svg := Scene{Events: events, Traffic: withTraffic(events), Findings: []check.Finding{finding}, Name: evil, Keeps: time.Minute}.Draw()
	wellFormed(t, svg)
	if strings.Contains(svg, "<script") || strings.Contains(svg, "\u202e") {
		t.Error("markup of a message is markup of the drawing")
	}
	if n := strings.Count(svg, "&lt;script&gt;"); n < 12 {
		t.Errorf("the name and the message are written %d times", n)
	}
}

func TestSceneIsBounded(t *testing.T) {
	events, finding := crowd(20000)
	traffic := withTraffic(events)
	findings := slices.Repeat([]check.Finding{finding}, 100)
	for _, l := range Languages {
		svg, left := Scene{Events: events, Traffic: traffic, Findings: findings, Language: l}.svg()
		if left.Events == 0 || left.Frames != len(traffic.Frames)-sceneFrames || left.Findings != len(findings)-sceneFindings {
			t.Errorf("left out: %+v", left)
		}
		if len(svg) > 1<<20 {
			t.Errorf("the drawing has %d bytes", len(svg))
		}
		if want := l.Word("left out", strings.Join([]string{l.Word("events", left.Events), l.Word("frames", left.Frames), l.Word("findings", left.Findings)}, ", ")); !strings.Contains(svg, want) {
			t.Errorf("the drawing does not say %q", want)
		}
	}
	small := halfOpenHistory()
	if svg, left := (Scene{Events: small, Traffic: withTraffic(small)}).svg(); left != (leftOut{}) || strings.Contains(svg, `class="left-out"`) {
		t.Errorf("of a small run something is left out: %+v", left)
	}
}

// A history comes from a file, so no event in it may make the drawing fail or leave its frame.
func TestSceneTakesAnything(t *testing.T) {
	odd := []history.Event{
		{Kind: history.Shown, Client: "x", Message: "m"}, {Kind: history.Closed, Client: "y"}, {Kind: history.FaultHealed},
		{Kind: "unheard of", Client: script}, {Kind: history.Acknowledged, Message: "never sent"}, {Kind: history.ServerStopped}, {Kind: history.FaultFired},
	}
	traffic := history.Traffic{
		Frames:      []history.Frame{{}, {Passed: plan.Passed{Client: "x"}, Text: `42["`, Left: 5}, {Passed: plan.Passed{Client: "x", Direction: plan.Down}, Type: "http", Text: "\n", Lost: true}},
		Connections: []history.Connection{{}, {Client: "x", Opened: 9, Ended: 3, Noticed: 1}},
	}
	for _, events := range [][]history.Event{nil, odd, halfOpenHistory(), odd[:1]} {
		for _, traffic := range []history.Traffic{{}, traffic, withTraffic(events)} {
			for _, window := range [][2]time.Duration{{0, 0}, {-5, 3}, {time.Second, time.Millisecond}, {40 * time.Millisecond, 100 * time.Millisecond}} {
				for _, width := range []int{0, -7, 370, 1e9} {
					for _, at := range []int{-1, 3, 99} {
						svg := Scene{Events: events, Traffic: traffic, From: window[0], To: window[1], Width: width, Keeps: time.Hour,
							Findings: []check.Finding{{Event: at, Client: "bob"}, {Event: at}}}.Draw()
						wellFormed(t, svg)
						inFrame(t, svg)
					}
				}
			}
		}
	}
}

func TestLabelsDoNotOverlap(t *testing.T) {
	events, finding := crowd(200)
	for _, width := range []int{370, 1040} {
		for _, l := range Languages {
			svg := Scene{Events: events, Traffic: withTraffic(events), Findings: []check.Finding{finding}, Width: width, Language: l}.Draw()
			var boxes []box
			var said []string
			decoder := xml.NewDecoder(strings.NewReader(svg))
			for {
				token, err := decoder.Token()
				if err != nil {
					break
				}
				start, ok := token.(xml.StartElement)
				if !ok || start.Name.Local != "text" {
					continue
				}
				var text struct {
					X    float64 `xml:"x,attr"`
					Y    float64 `xml:"y,attr"`
					Text string  `xml:",chardata"`
				}
				if err := decoder.DecodeElement(&text, &start); err != nil {
					t.Fatal(err)
				}
				b := box{text.X, text.Y - 9, text.X + labelWidth(text.Text), text.Y + 2}
				if b.x1 > float64(max(width, 320)) {
					t.Errorf("%q leaves the drawing", text.Text)
				}
				for i, other := range boxes {
					if b.x0 < other.x1 && other.x0 < b.x1 && b.y0 < other.y1 && other.y0 < b.y1 {
						t.Errorf("width %d: %q stands on %q", width, text.Text, said[i])
					}
				}
				boxes, said = append(boxes, b), append(said, text.Text)
			}
			if len(boxes) < 15 {
				t.Errorf("only %d labels", len(boxes))
			}
		}
	}
}

// A page places things by data-axis, so it must map the time of every event to the x at which
// the event is drawn.
func TestAxisMapsTimeToX(t *testing.T) {
	events := halfOpenHistory()
	for _, scale := range []Scale{Logarithmic, Linear} {
		svg := Scene{Events: events, Traffic: withTraffic(events), Scale: scale, From: 20 * time.Millisecond, To: 60 * time.Second}.Draw()
		var root struct {
			Axis string `xml:"data-axis,attr"`
		}
		if err := xml.Unmarshal([]byte(svg), &root); err != nil {
			t.Fatal(err)
		}
		var axis scaled
		if err := json.Unmarshal([]byte(root.Axis), &axis); err != nil {
			t.Fatal(err)
		}
		if axis.Kind != scale || axis.From != plan.Duration(20*time.Millisecond) || axis.To != plan.Duration(60*time.Second) || axis.Top <= 0 || axis.Bottom <= axis.Top {
			t.Errorf("%+v", axis)
		}
		for i := range axis.Points {
			if i > 0 && (axis.Points[i][0] <= axis.Points[i-1][0] || axis.Points[i][1] < axis.Points[i-1][1]) {
				t.Fatalf("%s: point %d goes back: %v", scale, i, axis.Points)
			}
		}
	}
}

func BenchmarkScene(b *testing.B) {
	events, finding := crowd(400)
	traffic := withTraffic(events)
	traffic.Frames = traffic.Frames[:min(300, len(traffic.Frames))]
	var svg string
	for b.Loop() {
		svg = Scene{Events: events, Traffic: traffic, Findings: []check.Finding{finding}, Keeps: time.Minute}.Draw()
	}
	b.ReportMetric(float64(len(svg)), "bytes")
	b.ReportMetric(float64(len(traffic.Frames)), "frames")
}
