package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	verdict "redial/harness/check"
	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/config"
	"redial/scenarios/doctor"
	"redial/scenarios/servers"
)

// stepCommand are the arguments for a step as a user's own server.
func stepCommand(step string) []string { return []string{"--", itself, servers.ServeStep, step} }

func TestDoctorReportsWhatTheNextLevelNeeds(t *testing.T) {
	t.Parallel()
	o := redial(t, append([]string{"doctor"}, stepCommand("7")...)...)
	if o.code != 0 {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
	for _, want := range []string{
		"✓ Socket.IO handshake at /socket.io/\n", "✓ heartbeat: it heeds PING_INTERVAL", "! a message that is sent twice with the same key arrives 2 times\n    → store the key",
		"It seems ready for server-delivery. What keeps it from client-delivery: a message that is sent twice", "Next: redial check --level server-delivery -- ",
	} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("no %q in\n%s", want, o.stdout)
		}
	}
}

func TestDoctorReportsAServerWithoutSocketIO(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(page.Close)
	o := redial(t, "doctor", "--url", page.URL, "--json")
	var r doctor.Report
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	if f, _ := r.Find(doctor.Handshake); o.code != 1 || r.Ready != "" || f.Mark != doctor.Bad {
		t.Errorf("exit %d, ready for %q, the handshake is %+v", o.code, r.Ready, f)
	}
	page.Close()
	if o = redial(t, "doctor", "--url", page.URL); o.code != 1 || !strings.Contains(o.stdout, "✗ nothing answers at ") || !strings.Contains(o.stdout, "cannot be checked yet: nothing answers") {
		t.Errorf("exit %d: %s", o.code, o.stdout)
	}
}

func TestInitWritesAFileThatConfigReads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a", "redial.yaml")
	o := redial(t, "init", "--output", file, "--level", "client-delivery", "--event", "say", "--path", "/ws/", "--", "node", "server.js", "--quick")
	if o.code != 0 || !strings.Contains(o.stderr, "Next: redial doctor --config "+file) {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	f, err := config.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(f.Target.Command, " ") != "node server.js --quick" || f.Level != contract.ClientDelivery || f.Socket.Path != "/ws/" || f.Socket.Send.Event != "say" {
		t.Errorf("the file has %+v", f)
	}
	refused(t, "exists already", "init", "--output", file, "--url", "http://127.0.0.1:3000")
	if o = redial(t, "init", "--output", file, "--force", "--url", "http://127.0.0.1:3000"); o.code != 0 {
		t.Errorf("--force: exit %d: %s", o.code, o.stderr)
	}
	if f, err = config.Read(file); err != nil || f.Target.URL != "http://127.0.0.1:3000" || f.Socket != nil {
		t.Errorf("the file has %+v, %v", f, err)
	}
	if o = redial(t, "init", "--output", "/proc/no/redial.yaml", "--url", "http://127.0.0.1:3000"); o.code != 3 || !strings.Contains(o.stdout, `url: "http://127.0.0.1:3000"`) {
		t.Errorf("exit %d if the file cannot be written, and the draft is lost: %s%s", o.code, o.stdout, o.stderr)
	}
}

// The command of a file in another folder runs where init was called, as it did there.
func TestInitNamesTheFolderOfTheCommand(t *testing.T) {
	for output, want := range map[string]string{"redial.yaml": "", "other/redial.yaml": "..", "a/b/redial.yaml": "../.."} {
		t.Chdir(t.TempDir())
		if code, err := execute([]string{"init", "--output", output, "--command", "node server.js --port ${PORT}"}); code != 0 {
			t.Fatalf("exit %d, %v", code, err)
		}
		f, err := config.Read(output)
		if err != nil {
			t.Fatal(err)
		}
		if f.Target.Dir != want {
			t.Errorf("%s: dir is %q, want %q", output, f.Target.Dir, want)
		}
	}
}

func TestInitAsksForMissingFlags(t *testing.T) {
	var asked bytes.Buffer
	i := &initializing{}
	i.ask(strings.NewReader("node server.js\nrecovery\n\n"), &asked)
	if i.line != "node server.js" || i.level != "recovery" || i.event != "" || strings.Count(asked.String(), ": ") != 3 {
		t.Errorf("%+v after %q", i, asked.String())
	}
	i = &initializing{probe: true}
	i.ask(strings.NewReader("http://127.0.0.1:3000\nrecovery\n"), io.Discard)
	if i.URL != "http://127.0.0.1:3000" || i.level != "" {
		t.Errorf("with --probe only the application is asked for: %+v", i)
	}
}

func TestInitProbeEndsWithoutAMessage(t *testing.T) {
	t.Parallel()
	// On a busy machine, a line says what it waits for.
	o := redial(t, append([]string{"init", "--probe", "--output", "-", "--path", "/ws/"}, stepCommand("5")...)...)
	if o.code != 3 || !strings.HasSuffix(o.stderr, "redial: no Socket.IO handshake at /ws/: name the path with --path\n") {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	o = redial(t, append([]string{"init", "--probe", "--wait", "1s", "--output", "-"}, stepCommand("5")...)...)
	if o.code != 3 || !strings.Contains(o.stderr, "Open http://127.0.0.1:") || !strings.Contains(o.stderr, "no event brought the message within 1s") || o.stdout != "" {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

// A wire client plays the user: it sends the message that the command asks for, to the address
// that it prints.
func TestInitProbeWatchesTheUsersMessage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "redial.yaml")
	c := command(t, append([]string{"init", "--probe", "--send", "--wait", "20s", "--output", file}, stepCommand("7")...)...)
	stderr, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	address := ""
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if rest, ok := strings.CutPrefix(line, "Open "); ok {
			address, _, _ = strings.Cut(rest, ",")
		}
		if address != "" && strings.HasPrefix(line, "redial ") {
			user := wire.New(client.Options{Name: "user", URL: address})
			t.Cleanup(func() { user.Close() })
			if err := errors.Join(user.Open(t.Context()), user.Send(line)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, c)
	text := read(t, file)
	for _, want := range []string{`event: "chat message"  # sure: a message that redial sent so arrived`, `offset: "$2"  # likely: `, `auth: {"serverOffset": "{{offset}}"}  # likely: `, "level: server-delivery  # likely: "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if _, err := config.Read(file); err != nil {
		t.Error(err)
	}
}

// A few rows are enough to find the level that each step promises.
func TestLevelAutoFindsTheLevelOfTheStep(t *testing.T) {
	t.Parallel()
	for step, c := range map[string]struct{ holds, next, row string }{
		"6": {"recovery", "server-delivery", "row 8, server-killed"},
		"7": {"server-delivery", "client-delivery", "row 27, write-on-dead-connection"},
		"8": {"client-delivery", "durable-delivery", "row 33, refresh-with-pending"},
	} {
		folder := t.TempDir()
		badge, summary := filepath.Join(folder, "b.svg"), filepath.Join(folder, "s.md")
		o := redial(t, "check", "--level", "auto", "--step", step, "--lab", "virtual", "--seed", "1", "--quiet", "--report", filepath.Join(folder, "report"), "--scenario", "clean-drop,server-killed,write-on-dead-connection,refresh-with-pending", "--badge", badge, "--summary", summary)
		if o.code != 0 || !strings.HasSuffix(o.stdout, "The highest level that holds: "+c.holds+"\n") {
			t.Errorf("step %s: exit %d: %s%s", step, o.code, o.stdout, o.stderr)
		}
		if step != "6" && !strings.Contains(o.stdout, fmt.Sprintf("✗ %-18s %s: fail", c.next, c.row)) {
			t.Errorf("step %s does not name %s: %s", step, c.row, o.stdout)
		}
		if text := read(t, badge); !strings.Contains(text, ">"+c.holds+"</text>") {
			t.Errorf("step %s: the badge is %s", step, text)
		}
		if text := read(t, summary); !strings.Contains(text, "# Redial: "+c.holds+", pass\n") || !strings.Contains(text, c.next+" does not hold: ") || !strings.Contains(text, "| Seed | 1 |") || !strings.Contains(text, "socket.io-client ") {
			t.Errorf("step %s: the summary is %s", step, text)
		}
	}
}

// A level whose rows were not all played in time has not failed.
func TestLevelAutoTellsWhatIsNotKnownFromWhatFails(t *testing.T) {
	t.Parallel()
	summary := filepath.Join(t.TempDir(), "s.md")
	o := redial(t, "check", "--level", "auto", "--step", "7", "--lab", "virtual", "--runs", "100", "--time-limit", "1s", "--quiet", "--report", t.TempDir(), "--summary", summary)
	if o.code != 2 || !strings.Contains(o.stdout, "\n? basic ") || !strings.HasSuffix(o.stdout, "\nNo level is known to hold.\n") {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	if text := read(t, summary); !strings.Contains(text, "basic is not known to hold: ") {
		t.Errorf("the summary is %s", text)
	}
}

// No row of a level ends within a second, and with --fail-on fail that is no failure.
func TestLevelAutoHasTheLimitAndTheExitStatusOfTheFlags(t *testing.T) {
	t.Parallel()
	o := redial(t, "check", "--level", "auto", "--step", "7", "--scenario", "idle", "--run-limit", "1s", "--fail-on", "fail", "--quiet")
	if o.code != 0 || !strings.Contains(o.stdout, "it had not ended after 1s") {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

func TestLevelAutoReportsWhatIsKnownOnInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	s := checking{play: play{seed: 1, runs: 1, lab: lab.Virtual}, step: "7"}
	rungs, err := s.rungs(ctx, catalogue.All[:1], newProgress(true))
	if err != nil || len(rungs) != 1 || rungs[0].reason != "not known: interrupted when 0 rows had passed" || len(rungs[0].results) != 1 {
		t.Errorf("%+v, %v", rungs, err)
	}
}

// A level of which a run has failed does not hold, even if its other runs were cut short.
func TestLevelAutoKnowsAFailureBeforeTheInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	s := checking{play: play{seed: 1, runs: 5000, lab: lab.Virtual, files: outputs{reportDir: t.TempDir()}}, step: "3"}
	ended := make(chan []rung)
	go func() {
		rungs, err := s.rungs(ctx, catalogue.All[:1], newProgress(true))
		if err != nil {
			t.Error(err)
		}
		ended <- rungs
	}()
	waitFor(t, func() bool {
		saved, _ := filepath.Glob(filepath.Join(s.files.reportDir, "*", "*.json"))
		return len(saved) > 0
	})
	interrupt()
	rungs := <-ended
	if len(rungs) != 1 || rungs[0].unknown || !strings.HasPrefix(rungs[0].reasonWithRow(), "row 1, clean-drop: fail. ") || rungs[0].results[0].Runs >= 5000 {
		t.Errorf("%+v", rungs)
	}
}

// Step 5 loses a message in clean-drop, so no scenario waits for the heartbeat at recovery.
func TestLevelAutoAnnouncesTheHeartbeatOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "redial.yaml")
	write(t, path, fmt.Sprintf("target: {command: [%q, %s, \"5\"], isolated: true, env: {PING_INTERVAL: \"4000\", PING_TIMEOUT: \"2000\"}}\n", itself, servers.ServeStep))
	o := redial(t, "check", "--level", "auto", "--config", path, "--seed", "1", "--scenario", "idle,clean-drop")
	if strings.Count(o.stderr, "The server's heartbeat is 6s and cannot be set") != 1 || !strings.Contains(o.stderr, "take up to 6s") || !strings.HasSuffix(o.stdout, "The highest level that holds: basic\n") {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

func TestBadgeOfAFixedLevel(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for step, want := range map[string]string{"7": ">server-delivery</text>", "5": ">server-delivery: fail</text>"} {
		badge := filepath.Join(folder, step+".svg")
		o := redial(t, "check", "--step", step, "--level", "server-delivery", "--lab", "virtual", "--scenario", "clean-drop", "--quiet", "--report", filepath.Join(folder, step), "--badge", badge)
		if text := read(t, badge); !strings.Contains(text, want) {
			t.Errorf("step %s: exit %d, and the badge is %s", step, o.code, text)
		}
	}
}

func TestBadgeAndSummaryEscape(t *testing.T) {
	r := report.Report{
		Target: "`a|b`\n<c>", Level: `"><script>&`, Began: time.Now(),
		Results: []report.Result{{Verdict: verdict.Verdict{Outcome: verdict.Pass}, Tally: verdict.Tally{Runs: 1}}},
	}
	var badge, summary bytes.Buffer
	if err := errors.Join(writeBadge(&badge, r), outputs{next: "a\n# b"}.writeSummary(&summary, r)); err != nil {
		t.Fatal(err)
	}
	elements := 0
	for d := xml.NewDecoder(&badge); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the badge is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			if elements++; e.Name.Local == "script" {
				t.Error("the level is an element of the badge")
			}
		}
	}
	if elements < 9 {
		t.Errorf("the badge has %d elements", elements)
	}
	if text := summary.String(); !strings.Contains(text, "| Application | `'a¦b' <c>` |\n") || !strings.Contains(text, "\n`a # b`\n") {
		t.Errorf("the summary is %s", text)
	}
}
