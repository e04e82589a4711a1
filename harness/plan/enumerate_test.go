package plan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var threeClients = []Client{{Name: "alice"}, {Name: "bob"}, {Name: "carol", Kind: Wire}}

// passedFrames draws the frames of a run: each frame once, each connection's numbers in order,
// connections and clients interleaved.
func passedFrames(clients ...string) *rapid.Generator[[]Passed] {
	return rapid.Custom(func(t *rapid.T) []Passed {
		last := map[Passed]int{}
		var frames []Passed
		for range rapid.IntRange(0, 12).Draw(t, "frames") {
			on := Passed{
				Client:     rapid.SampledFrom(clients).Draw(t, "client"),
				Connection: rapid.IntRange(1, 3).Draw(t, "connection"),
				Direction:  rapid.SampledFrom([]Direction{Up, Down}).Draw(t, "direction"),
			}
			last[on]++
			number := last[on]
			on.Number = number
			frames = append(frames, on)
		}
		return frames
	})
}

func ofClients(frames []Passed, names ...string) int {
	n := 0
	for _, f := range frames {
		if slices.Contains(names, f.Client) {
			n++
		}
	}
	return n
}

// distinct checks that every plan is valid and that no two have the same faults or name.
func distinct(t rapid.TB, plans []Plan) {
	seen, names := map[string]bool{}, map[string]bool{}
	for _, p := range plans {
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(p.Faults)
		if seen[string(text)] || names[p.Name()] {
			t.Fatalf("twice: %s %s", p.Name(), text)
		}
		seen[string(text)], names[p.Name()] = true, true
	}
}

func TestPointsAreEveryFaultOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := passedFrames("alice", "bob", "reader").Draw(t, "passed")
		p := Plan{Seed: 3, Clients: threeClients, Script: []Step{{Do: Open, Client: "alice"}}}
		var plans []Plan
		for _, f := range Points(p, frames) {
			plans = append(plans, p.with(f))
		}
		distinct(t, plans)
		if want := ofClients(frames, "alice", "bob") * 2 * len(Sweep); len(plans) != want {
			t.Fatalf("%d plans, want %d", len(plans), want)
		}
	})
}

func TestPairsAreEveryTwoPointsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := passedFrames("alice", "bob").Draw(t, "passed")
		frames = frames[:min(3, len(frames))]
		p := Plan{Clients: threeClients}
		points := len(Points(p, frames))
		plans := slices.Collect(Pairs(p, frames, 0, 1))
		distinct(t, plans)
		if len(plans) != points*(points-1)/2 || len(plans) != CountPairs(points) {
			t.Fatalf("%d pairs of %d points", len(plans), points)
		}
		for _, two := range plans {
			if len(two.Faults) != 2 || two.Faults[0].At.Connection == 0 || two.Faults[1].At.Connection != 0 {
				t.Fatalf("the first is to count one connection's frames, the second all: %s", two.Name())
			}
		}
	})
}

func TestPairsSampleIsBoundedSpreadAndSeeded(t *testing.T) {
	p := Plan{Clients: threeClients}
	var frames []Passed
	for n := range 200 {
		frames = append(frames, Passed{Client: "bob", Connection: 1, Direction: Down, Number: n + 1})
	}
	draw := func(seed uint64) []Plan { return slices.Collect(Pairs(p, frames, 300, seed)) }
	plans := draw(1)
	if len(plans) != 300 {
		t.Fatalf("%d pairs, want 300", len(plans))
	}
	distinct(t, plans)
	if !reflect.DeepEqual(plans, draw(1)) {
		t.Error("the same seed drew other pairs")
	}
	if reflect.DeepEqual(plans, draw(2)) {
		t.Error("another seed drew the same pairs")
	}
	first, last := plans[0].Faults[1].At.Number, plans[299].Faults[1].At.Number
	if first > 30 || last < 195 {
		t.Errorf("the second fault is at frames %d to %d of 200: not spread over all", first, last)
	}
	if got, all := slices.Collect(Pairs(p, frames[:1], 300, 1)), CountPairs(2*len(Sweep)); len(got) != all {
		t.Errorf("%d of %d pairs, which are fewer than 300", len(got), all)
	}
}

func TestSampleTakesOneOfEachPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 200).Draw(t, "total")
		most := rapid.IntRange(-1, 250).Draw(t, "most")
		numbers := slices.Collect(sample(total, most, rapid.Uint64().Draw(t, "seed")))
		want := total
		if most > 0 {
			want = min(most, total)
		}
		if len(numbers) != want || !slices.IsSorted(numbers) || len(slices.Compact(numbers)) != want {
			t.Fatalf("%d of %d: %v", most, total, numbers)
		}
		for i, n := range numbers {
			if n < i*total/want || n >= (i+1)*total/want {
				t.Fatalf("%d is not of part %d of %d: %v", n, i+1, want, numbers)
			}
		}
	})
}

func TestPairNumbersAreExactWhereFloatsAreNot(t *testing.T) {
	for _, second := range []int{1, 2, 3, 94906265, 94906266, 94906267, 1 << 30} {
		for _, first := range []int{0, second - 1} {
			if a, b := pair(CountPairs(second) + first); a != first || b != second {
				t.Errorf("pair (%d,%d) came back as (%d,%d)", first, second, a, b)
			}
		}
	}
}

func TestEnumerationIsLazyAndStops(t *testing.T) {
	frames := []Passed{{Client: "bob", Connection: 1, Direction: Up, Number: 1}}
	p := Plan{Clients: threeClients}
	for _, all := range []func(func(Plan) bool){Pairs(p, frames, 0, 1), Pairs(p, frames, 5, 1)} {
		n := 0
		for range all {
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			t.Errorf("stopped after %d, want 3", n)
		}
	}
}

func TestPairsCountTheSecondFaultOverTheRun(t *testing.T) {
	frames := []Passed{
		{"bob", 1, Down, 1}, {"bob", 1, Up, 1}, {"bob", 1, Down, 2}, {"alice", 1, Down, 1}, {"bob", 2, Down, 1},
	}
	var got []string
	for p := range Pairs(Plan{Clients: threeClients}, frames, 0, 0) {
		if p.Faults[0].Kind != Cut || p.Faults[1].Kind != Cut {
			continue
		}
		if first := p.Faults[0].At; first == (Frame{Direction: Down, Number: 2, Connection: 1}) && p.Faults[1].At.After {
			got = append(got, p.Name())
		}
	}
	want := []string{
		"bob's link is cut before the 2nd frame down of connection 1 and bob's link is cut after the 2nd frame down",
		"bob's link is cut before the 2nd frame down of connection 1 and alice's link is cut after the 1st frame down",
		"bob's link is cut before the 2nd frame down of connection 1 and bob's link is cut after the 3rd frame down",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestPointsAimAtTheRightOne(t *testing.T) {
	points := slices.DeleteFunc(Points(Plan{Clients: threeClients}, []Passed{{"bob", 1, Down, 7}, {"bob", 1, Down, 7}}), func(f Fault) bool {
		return !slices.Contains([]FaultKind{Cut, Crash, RefreshPage}, f.Kind)
	})
	at := Frame{Direction: Down, Number: 7, Connection: 1}
	aimed, after, aimedAfter := at, at, at
	aimed.Client, aimedAfter.Client = "bob", "bob"
	after.After, aimedAfter.After = true, true
	want := []Fault{
		{Kind: Cut, Client: "bob", At: at}, {Kind: Crash, At: aimed}, {Kind: RefreshPage, Client: "bob", At: aimed},
		{Kind: Cut, Client: "bob", At: after}, {Kind: Crash, At: aimedAfter}, {Kind: RefreshPage, Client: "bob", At: aimedAfter},
	}
	if !slices.Equal(points, want) {
		t.Errorf("got  %+v\nwant %+v", points, want)
	}
}

func TestPointsPanicOnMistakes(t *testing.T) {
	for name, frame := range map[string]Passed{
		"no connection": {"bob", 0, Down, 1},
		"no direction":  {"bob", 1, "", 1},
		"no number":     {"bob", 1, Down, 0},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			Points(Plan{Clients: threeClients}, []Passed{frame})
		})
	}
}

func TestPlanNames(t *testing.T) {
	for _, c := range []struct {
		faults []Fault
		want   string
	}{
		{nil, "no fault is armed"},
		{[]Fault{{Kind: Cut, Client: "bob"}}, "bob's link is cut before the 1st frame up"},
		{[]Fault{{Kind: RefreshPage, Client: "bob", At: Frame{Client: "bob", Connection: 2}}}, "bob refreshes the page before the 1st frame up of bob's connection 2"},
		{[]Fault{{Kind: RefreshPage, Client: "bob", At: Frame{Client: "alice"}}}, "bob refreshes the page before the 1st frame up of alice's link"},
		{[]Fault{{Kind: Reset, Client: "bob", At: Frame{Client: "alice"}}}, "bob's link is reset before the 1st frame up of alice's link"},
		{[]Fault{{Kind: Cut, Client: "bob", At: Frame{Direction: Down, Number: 7, Connection: 1}}, {Kind: Crash, At: Frame{Client: "bob", Number: 2, After: true}}},
			"bob's link is cut before the 7th frame down of connection 1 and the server crashes and starts again after the 2nd frame up of bob's link"},
	} {
		if got := (Plan{Faults: c.faults}).Name(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func ExamplePoints() {
	p := Plan{Clients: []Client{{Name: "bob"}}}
	passed := []Passed{{Client: "bob", Connection: 1, Direction: Down, Number: 7}}
	for _, fault := range Points(p, passed)[:3] {
		p.Faults = []Fault{fault}
		fmt.Println(p.Name())
	}
	// Output:
	// bob's link is cut before the 7th frame down of connection 1
	// bob's link is reset before the 7th frame down of connection 1
	// bob's link is left half-open (the server does not notice) before the 7th frame down of connection 1
}
