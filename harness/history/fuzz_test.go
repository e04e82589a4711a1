package history

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzRead checks that Read either refuses a text with a one-line error that names the line,
// or returns one event for each non-empty line, and that these are the same after Write and
// Read.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "\n\n", "[1]\n", "7", `{"at":"0s","kind":"note"}` + "\nhello\n",
		`{"at":"0s","kind":"note"}{"at":"0s","kind":"note"}`,
		`{"at":"0s","kind":"began","level":"recovery","plan":{"seed":18446744073709551615,"clients":[{"name":"앨리스"}],"script":[{"do":"break","fault":{"kind":"cut","client":"a"}}],"faults":[]},"keepsLog":true}` + "\r\n" +
			`{"at":"1.5s","kind":"shown","client":"a","view":1,"message":"<b>\u2028\ud800</b>","offset":9223372036854775807,"recovered":true}` + "\n" +
			` {"at":"-1ns","kind":"fault-fired","fault":"f1","faultKind":"cut","node":"b","detail":"x\n"}` + "\n\n" +
			`{"at":"2h","kind":"ended"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
		before := 0
		var failed error
		for _, err := range Each(bytes.NewReader(text)) {
			if failed != nil {
				t.Fatalf("something comes after the error %v", failed)
			}
			if failed = err; err == nil {
				before++
			}
		}
		events, err := Read(bytes.NewReader(text))
		if err != nil {
			if events != nil || failed == nil || failed.Error() != err.Error() {
				t.Fatalf("Read: %v with %d events; Each: %v", err, len(events), failed)
			}
			if !strings.HasPrefix(err.Error(), "line ") || strings.ContainsAny(err.Error(), "\n\r") || before >= len(lines) {
				t.Fatalf("after %d events of %d lines: %q", before, len(lines), err)
			}
			return
		}
		if failed != nil || len(events) != len(lines) || before != len(lines) {
			t.Fatalf("%d lines: Read has %d events, Each %d (%v)", len(lines), len(events), before, failed)
		}
		first := write(t, events)
		again, err := Read(bytes.NewReader(first))
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, first)
		}
		second := write(t, again)
		for _, read := range [][]Event{events, again} {
			for i := range read {
				read[i].Plan = nil // JSON leaves out the empty lists of a plan
			}
		}
		if !reflect.DeepEqual(again, events) || !bytes.Equal(first, second) {
			t.Fatalf("came back as\n%s\nwent as\n%s", second, first)
		}
		if got := bytes.Count(first, []byte("\n")); got != len(events) {
			t.Fatalf("%d events on %d lines", len(events), got)
		}
	})
}

func write(t *testing.T, events []Event) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := Write(&file, events); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
