package plan

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzDecode checks that Decode refuses a text in one line, or returns a plan that is the same
// after it was written and read again, that Story describes line by line, and whose steps each
// belong to exactly one unit of the shrinker.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		`{`, `{}`, `{"clients":null,"script":[],"faults":[]}`,
		`{"clients":[{"name":"a"},{"name":"b","tabOf":"a","transports":["polling","websocket"]}],"script":[{"do":"open","client":"a"},{"do":"await-connected"}]}`,
		`{"clients":[{"name":"a","kind":"wire","retries":true,"reconnectDelay":"20ms","eager":true}],"seams":"999.000001ms","tuning":{"pingTimeout":"1.5s"}}`,
		`{"clients":[{"name":"a"}],"script":[{"do":"open","client":"a"},{"do":"send","client":"a","text":"t\n\u2028","count":3},{"do":"start-sending","client":"a","every":"1ms"},{"do":"stop-sending","client":"a"},{"do":"await-shown","client":"a","text":"t 1"},{"do":"barrier"}]}`,
		`{"clients":[{"name":"a"}],"script":[{"do":"arm","fault":{"id":"f1","kind":"limit","client":"a","bytesPerSecond":9,"at":{"direction":"down","number":3,"match":"42[","after":true}}},{"do":"break","fault":{"kind":"heal","client":"a"}},{"do":"await-fault","text":"f1"}]}`,
		`{"clients":[{"name":"a","node":"b"}],"script":[{"do":"move","client":"a","node":"c"},{"do":"kill-server","node":"b"},{"do":"start-server","node":"b"},{"do":"lock-database"},{"do":"unlock-database"}],"faults":[{"kind":"crash","node":"b","at":{"client":"a","connection":2}}]}`,
		`{"seed":18446744073709551615,"tuning":{"pingInterval":5}}`,
	} {
		f.Add([]byte(text))
	}
	for seed := range uint64(3) {
		text, err := json.Marshal(Random(RandomScript(seed, threeRandom), seed, false))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Decode(text)
		if err != nil {
			oneLine(t, err)
			return
		}
		written := encode(t, p)
		again, err := Decode(written)
		if err != nil {
			t.Fatalf("what was read is not read again: %v\n%s", err, written)
		}
		if !reflect.DeepEqual(bare(again), bare(p)) {
			t.Fatalf("came back as %s, went as %s", encode(t, again), written)
		}
		if err := p.ValidateEnd(); err != nil {
			oneLine(t, err)
		}
		story := Story(p)
		if got, want := strings.Count(story, "\n"), 1+len(p.Faults)+len(p.Script); got != want {
			t.Fatalf("%d lines for %d:\n%s", got, want, story)
		}
		seen := make([]int, len(p.Script))
		for _, unit := range unitsOf(p.Script) {
			for _, i := range unit {
				seen[i]++
			}
		}
		for i, times := range seen {
			if times != 1 {
				t.Fatalf("step %d is in %d units", i+1, times)
			}
		}
		numbered := p.WithFaultIDs()
		if after := encode(t, p); string(after) != string(written) {
			t.Fatalf("numbering its faults has changed the plan to %s", after)
		}
		for _, fault := range numbered.Faults {
			if fault.ID == "" {
				t.Fatal("a fault has no ID")
			}
		}
	})
}

// bare returns the plan with nil for empty lists, which JSON leaves out.
func bare(p Plan) Plan {
	p.Faults = append([]Fault(nil), p.Faults...)
	p.Clients = append([]Client(nil), p.Clients...)
	p.Script = append([]Step(nil), p.Script...)
	for i, c := range p.Clients {
		p.Clients[i].Transports = append([]string(nil), c.Transports...)
	}
	return p
}

func encode(t *testing.T, p Plan) []byte {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func oneLine(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); text == "" || strings.ContainsAny(text, "\n\r") {
		t.Fatalf("an error of %d lines: %q", 1+strings.Count(text, "\n"), text)
	}
}
