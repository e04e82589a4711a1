package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"redial/harness/contract"
	"redial/harness/history"
)

// byHand is a hand-written history: bob misses a message during a short disconnection.
const byHand = `
{"kind":"connected","client":"alice"}
{"kind":"connected","client":"bob"}
{"kind":"disconnected","client":"bob"}
{"kind":"sent","client":"alice","message":"hi"}
{"kind":"shown","client":"alice","message":"hi"}
{"kind":"connected","client":"bob"}
`

const bobShows = `{"kind":"shown","client":"bob","message":"hi"}` + "\n"

func TestRecheckOfAHandWrittenHistory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, level string
		code        int
		want        string // on stdout, or else on stderr
	}{
		"lost":               {byHand, "recovery", 1, `recovery covers the break`},
		"at the default":     {byHand, "", 1, "level server-delivery"},
		"shown":              {byHand + bobShows, "", 0, "PASS: 1 passed"},
		"shown twice":        {byHand + bobShows + bobShows, "", 1, "no-duplicate"},
		"not promised":       {byHand, "basic", 0, "PASS: 1 passed"},
		"rows without end":   {byHand + `{"kind":"stored","message":"hi","offset":1}`, "", 1, "no-loss"},
		"nothing stored":     {byHand + bobShows + `{"kind":"log-read"}`, "", 1, "agreement"},
		"another level":      {`{"kind":"began","level":"recovery"}` + byHand + `{"kind":"ended"}`, "basic", 0, "level basic"},
		"its own level":      {`{"kind":"began","level":"recovery"}` + byHand + `{"kind":"ended"}`, "", 1, "level recovery"},
		"cut short":          {`{"kind":"began","level":"recovery"}` + byHand, "", 2, "was cut short"},
		"a run without log":  {`{"kind":"began","level":"basic","plan":{"seed":1,"clients":[],"script":[]}}` + byHand + bobShows + `{"kind":"ended"}`, "server-delivery", 2, "log was not read"},
		"a misspelt field":   {byHand + `{"kind":"shown","cleint":"bob","message":"hi"}`, "", 3, `line 8 of the history is no event: there is no field "cleint"`},
		"a value of no kind": {byHand + `{"kind":"opened","client":"bob","view":"two"}`, "", 3, `line 8 of the history is no event: field "view"`},
		"nothing":            {"\n", "", 3, "there is no event in it"},
		"no history":         {"Once upon a time", "", 3, "line 1 of the history is no event"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "by-hand.jsonl")
			write(t, file, c.text)
			arguments := []string{"recheck", file}
			if c.level != "" {
				arguments = append(arguments, "--level", c.level)
			}
			o := redial(t, arguments...)
			if o.code != c.code || !strings.Contains(o.stdout+o.stderr, c.want) || c.code == 3 && (o.stdout != "" || strings.Count(o.stderr, "\n") != 1) {
				t.Errorf("exit %d, want %d and %q: %s%s", o.code, c.code, c.want, o.stdout, o.stderr)
			}
		})
	}
}

// The verdict of recheck is the saved one, unless the level or the history differs.
func TestRecheckOfASavedFailure(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	o := redial(t, "check", "--lab", "virtual", "--step", "5", "--level", "recovery", "--scenario", "drop-before-any-event", "--seed", "1", "--report", folder)
	saved := filepath.Join(folder, "step-5", "drop-before-any-event-1.json")
	text, err := os.ReadFile(saved)
	if o.code != 1 || err != nil {
		t.Fatalf("exit %d, %v: %s", o.code, err, o.stderr)
	}
	_, told, _ := strings.Cut(o.stdout, "rule ")
	told, _, _ = strings.Cut(told, "replay")
	again := redial(t, "recheck", saved)
	if again.code != 1 || !strings.Contains(again.stdout, told) || !strings.HasSuffix(again.stdout, "The verdict is the saved one.\n") {
		t.Errorf("exit %d, and not the same story as\n%s\nbut %s%s", again.code, told, again.stdout, again.stderr)
	}
	if other := redial(t, "recheck", "--level", "basic", saved); other.code != 0 || !strings.Contains(other.stdout, "The saved verdict, at level recovery, was fail") {
		t.Errorf("at level basic: exit %d, %s%s", other.code, other.stdout, other.stderr)
	}
	zipped := filepath.Join(folder, "saved.json.gz")
	cut := bytes.Replace(text, []byte(`"kind": "ended"`), []byte(`"kind": "note"`), 1)
	cut = bytes.Replace(cut, []byte(`"reason": "`), []byte(`"reason": "\u001b[2J`), 1) // which clears a terminal
	write(t, zipped, gzipped(t, cut))
	if other := redial(t, "recheck", zipped); other.code != 2 || !strings.Contains(other.stdout, `The saved verdict, at level recovery, was fail (\x1b[2J`) {
		t.Errorf("without its end: exit %d, %s%s", other.code, other.stdout, other.stderr)
	}
	write(t, zipped, gzipped(t, text))
	if other := redial(t, "recheck", zipped); !strings.Contains(strings.Join(strings.Fields(other.stdout), " "), "replay "+zipped) {
		t.Errorf("it names no replay: exit %d, %s%s", other.code, other.stdout, other.stderr)
	}
	if other := redial(t, "replay", zipped); other.code != 1 || !strings.HasSuffix(other.stdout, "The verdict is the saved one.\n") {
		t.Errorf("the replay of it: exit %d, %s%s", other.code, other.stdout, other.stderr)
	}
	write(t, zipped, string(text[:len(text)/2]))
	if half := redial(t, "recheck", zipped); half.code != 3 || strings.Count(half.stderr, "\n") != 1 {
		t.Errorf("half of the file: exit %d, %s%s", half.code, half.stdout, half.stderr)
	}
}

func gzipped(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// BenchmarkRecheck judges ten million events in a process of its own, and prints the peak of
// its memory, which grows with the messages and not with the events.
func BenchmarkRecheck(b *testing.B) {
	for _, c := range []crowd{
		{pages: 100, messages: 100_000},
		{pages: 100, messages: 100_000, loses: 1},
		{pages: 10, messages: 1_000_000},
		{pages: 1, messages: 5_000_000},
	} {
		b.Run(fmt.Sprintf("%d pages, %d messages, %d lost", c.pages, c.messages, c.loses), func(b *testing.B) {
			for range b.N {
				b.ReportMetric(float64(peak(b, c)), "peak-MB")
			}
		})
	}
}

// A crowd is a history in which every page shows every message, except that the last page
// loses some of them.
type crowd struct{ pages, messages, loses int }

func (c crowd) write(to io.Writer) error {
	w := bufio.NewWriter(to)
	put := func(e history.Event) {
		fmt.Fprintf(w, `{"at":"1s","kind":%q`, e.Kind)
		if e.Client != "" {
			fmt.Fprintf(w, `,"client":%q,"view":1`, e.Client)
		}
		if e.Message != "" {
			fmt.Fprintf(w, `,"message":%q`, e.Message)
		}
		w.WriteString("}\n")
	}
	fmt.Fprintf(w, `{"kind":"began","level":%q}`+"\n", contract.Recovery)
	names := make([]string, c.pages)
	for p := range names {
		names[p] = fmt.Sprintf("client-%d", p)
		put(history.Event{Kind: history.Connected, Client: names[p]})
	}
	for m := range c.messages {
		e := history.Event{Kind: history.Sent, Client: names[0], Message: fmt.Sprintf("client-0 says message %d", m)}
		put(e)
		e.Kind = history.Shown
		for p := range names {
			if p < c.pages-1 || m >= c.loses {
				e.Client = names[p]
				put(e)
			}
		}
	}
	put(history.Event{Kind: history.Ended})
	return w.Flush()
}

// peak is the peak of the command's memory in megabytes.
func peak(b *testing.B, c crowd) int {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "crowd.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	if err := c.write(file); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	run := command(b, "recheck", file.Name())
	output, _ := run.CombinedOutput()
	if want := min(c.loses, 1); run.ProcessState.ExitCode() != want {
		b.Fatalf("exit %d, not %d: %s", run.ProcessState.ExitCode(), want, output)
	}
	usage, ok := run.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Skip("this system does not tell")
	}
	return int(usage.Maxrss >> 10) // in kilobytes on Linux
}
