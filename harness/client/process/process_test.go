package process_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"redial/harness/client"
	"redial/harness/client/process"
	"redial/harness/history"
)

// script is a client in sh that answers every command. A test's cases come before its own.
const script = `cases() { case $1 in
%s
*'"do":"open"'*) echo '{"kind":"done"}'; echo '{"kind":"connected","recovered":true}' ;;
*'"do":"send"'*) echo '{"kind":"done"}'; echo '{"kind":"shown","message":"hello","offset":7}'; echo '{"kind":"acknowledged","message":"hello"}' ;;
*'"do":"close"'*) echo '{"kind":"note","detail":"closing"}'; echo '{"kind":"done"}'; exit ;;
*) echo '{"kind":"failed","detail":"not so"}' ;;
esac; }
while read -r line; do cases "$line"; done`

// newClient makes a client whose program is the script with one more case.
func newClient(t *testing.T, first string) (*process.Client, *history.Recorder) {
	t.Helper()
	seen := history.NewRecorder()
	c := process.New(client.Options{Name: "bob", URL: "http://127.0.0.1:1", Record: seen.Add},
		process.Program{Command: []string{"/bin/sh", "-c", fmt.Sprintf(script, first)}, Level: "recovery"})
	t.Cleanup(func() { _ = c.Close() })
	return c, seen
}

// story is the history with the kind, message and detail of each event.
func story(seen *history.Recorder) string {
	var words []string
	for _, e := range seen.Events(0) {
		word := string(e.Kind)
		if e.Message+e.Detail != "" {
			word += "(" + e.Message + e.Detail + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// awaitStory waits for the history to have the text.
func awaitStory(t *testing.T, seen *history.Recorder, wanted string) {
	t.Helper()
	for bound := time.After(time.Minute); ; {
		changed := seen.Changed()
		if strings.Contains(story(seen), wanted) {
			return
		}
		select {
		case <-changed:
		case <-bound:
			t.Fatalf("the history has no %q: %s", wanted, story(seen))
		}
	}
}

func TestEventsOfTheProgramAreRecorded(t *testing.T) {
	c, seen := newClient(t, `*offset*) ;;`)
	if err := c.Send("hello"); !errors.Is(err, client.ErrNotOpen) {
		t.Errorf("Send on a closed client is %v", err)
	}
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitStory(t, seen, "connected")
	if err := c.Send("hello"); err != nil {
		t.Fatal(err)
	}
	awaitStory(t, seen, "acknowledged")
	if s := c.Status(); s != (client.Status{View: 1, Open: true, Connected: true, Shown: 1}) {
		t.Errorf("the status is %+v", s)
	}
	if err := c.Disconnect(); err == nil || err.Error() != "cannot disconnect: not so" {
		t.Errorf("a command that fails is %v", err)
	}
	if err := c.Suspend(); !errors.Is(err, client.ErrUnsupported) {
		t.Errorf("Suspend is %v", err)
	}
	if err := c.Open(t.Context()); !errors.Is(err, client.ErrOpen) {
		t.Errorf("a second Open is %v", err)
	}
	left := ""
	if err := c.Refresh(t.Context(), func() { left = story(seen) }); err != nil {
		t.Fatal(err)
	}
	want := "opened connected sent(hello) shown(hello) acknowledged(hello) note(closing) closed"
	if left != want {
		t.Errorf("when the view is left, the history is %s\nwant %s", left, want)
	}
	awaitStory(t, seen, want+" opened connected")
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	events := seen.Events(0)
	if !events[1].Recovered || events[3].Offset != 7 || events[0].View != 1 || events[len(events)-1].View != 2 || events[2].Client != "bob" {
		t.Errorf("fields are missing: %+v", events)
	}
	if err := c.Refresh(t.Context(), nil); !errors.Is(err, client.ErrNotOpen) {
		t.Errorf("Refresh of a closed tab is %v", err)
	}
}

func TestMisbehaviourOfTheProgramIsNoted(t *testing.T) {
	for name, one := range map[string]struct{ first, err, story string }{
		"it ends": {`*send*) echo 'Traceback' >&2; echo 'KeyError: 1' >&2; exit 3 ;;`,
			"cannot send: the client has ended: KeyError: 1", "note(the client has ended by itself) disconnected(the client has ended)"},
		"no JSON":        {`*send*) echo hello; echo '{"kind":"done"}' ;;`, "", `note(the client has written a line that is no event: "hello")`},
		"no known kind":  {`*send*) echo '{"kind":"began"}'; echo '{"kind":"done"}' ;;`, "", `note(the client has written an event of no known kind: "began")`},
		"two answers":    {`*send*) echo '{"kind":"done"}'; echo '{"kind":"done"}'; echo '{"kind":"done"}' ;;`, "", "note(the client has answered twice)"},
		"a long line":    {`*send*) head -c 2000000 /dev/zero; sleep 60 ;;`, "cannot send: the client has ended", "note(the client was ended: it has written a line of more than 1048576 bytes)"},
		"stderr is kept": {`*close*) echo 'a warning' >&2; exit ;;`, "", "note(stderr: a warning) closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, seen := newClient(t, one.first)
			if err := c.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			awaitStory(t, seen, "connected")
			err := c.Send("hello")
			if fmt.Sprint(err) != one.err && (one.err == "" && err != nil || !strings.HasPrefix(fmt.Sprint(err), one.err)) {
				t.Errorf("Send is %v, want %q", err, one.err)
			}
			if strings.HasSuffix(one.story, "closed") {
				_ = c.Close()
			}
			awaitStory(t, seen, one.story)
		})
	}
}

func TestSecondAnswerIsNotThatToTheNextCommand(t *testing.T) {
	c, seen := newClient(t, `*send*) echo '{"kind":"done"}'; echo '{"kind":"done"}'; echo '{"kind":"shown","message":"hello"}' ;;`)
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Send("hello"); err != nil {
		t.Fatal(err)
	}
	awaitStory(t, seen, "shown(hello)")
	if err := c.Disconnect(); err == nil || err.Error() != "cannot disconnect: not so" {
		t.Errorf("the next command is %v", err)
	}
	awaitStory(t, seen, "note(the client has answered twice)")
}

// The program ignores every signal that it can, and has started a child.
func TestProgramThatNeverEndsIsKilledWithItsChildren(t *testing.T) {
	for _, act := range []string{"send", "close"} {
		t.Run(act, func(t *testing.T) { neverEnds(t, act) })
	}
	t.Cleanup(process.SetBounds(500 * time.Millisecond))
	c, seen := newClient(t, `*open*) ;;`)
	if err := c.Open(t.Context()); err == nil || err.Error() != "cannot open the client: it did not answer within 500ms" {
		t.Errorf("Open is %v", err)
	}
	if !strings.HasSuffix(story(seen), "closed") {
		t.Errorf("the history is %s", story(seen))
	}
}

func neverEnds(t *testing.T, act string) {
	t.Cleanup(process.SetBounds(500 * time.Millisecond))
	file := filepath.Join(t.TempDir(), "pids")
	c, seen := newClient(t, `*open*) trap '' TERM INT HUP; sleep 600 & echo $$ $! >`+file+`; echo '{"kind":"done"}' ;;
*send*|*close*) wait ;;`)
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	pids := pidsIn(t, file)
	if act == "send" {
		if err := c.Send("hello"); err == nil || err.Error() != "cannot send: it did not answer within 500ms" {
			t.Errorf("Send is %v", err)
		}
	} else if err := c.Close(); err != nil {
		t.Fatal(err)
	} else if !strings.HasSuffix(story(seen), "closed") {
		t.Errorf("the history is %s", story(seen))
	}
	for _, pid := range pids {
		if running(pid) {
			t.Errorf("the process %d still runs", pid)
		}
	}
}

func TestProgramEndsWithItsKilledParent(t *testing.T) {
	const variable = "REDIAL_TEST_CLIENT_PIDS"
	if file := os.Getenv(variable); file != "" {
		c, _ := newClient(t, `*open*) sleep 600 & echo $$ $! >`+file+`.new; mv `+file+`.new `+file+`; echo '{"kind":"done"}' ;;`)
		_ = c.Open(t.Context())
		select {}
	}
	file := filepath.Join(t.TempDir(), "pids")
	parent := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	parent.Env = append(os.Environ(), variable+"="+file)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, "the client starts", func() bool { _, err := os.Stat(file); return err == nil })
	pids := pidsIn(t, file)
	_ = parent.Process.Kill()
	_ = parent.Wait()
	for _, pid := range pids {
		within(t, "the process "+strconv.Itoa(pid)+" ends", func() bool { return !running(pid) })
	}
}

func within(t *testing.T, what string, met func() bool) {
	t.Helper()
	for bound := time.After(time.Minute); !met(); {
		select {
		case <-bound:
			t.Fatalf("waited a minute until %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func pidsIn(t *testing.T, file string) (pids []int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 {
		t.Fatalf("the pids are %q", text)
	}
	return pids
}

// running tells whether a process runs. A zombie does not.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat[strings.LastIndex(string(stat), ")"):]), ") Z")
}
