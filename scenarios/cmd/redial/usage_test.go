package main

import (
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestWrongCommandLinesAreRefusedInOneLine(t *testing.T) {
	source := absolute(t, "main.go")
	for _, c := range []struct {
		name, want string
		arguments  []string
	}{
		{"no such command", "there is no command", []string{"frobnicate"}},
		{"nothing to check", "check needs one of", []string{"check"}},
		{"two things to check", "check needs one of", []string{"check", "--step", "7", "--url", "http://127.0.0.1:1"}},
		{"no such step", "12", []string{"check", "--step", "12"}},
		{"a step without a chat", "step 1 cannot be checked", []string{"check", "--step", "1"}},
		{"no such level", "the levels are", []string{"check", "--step", "7", "--level", "best"}},
		{"no such scenario", "redial list", []string{"check", "--step", "7", "--scenario", "flood"}},
		{"no runs", "whole numbers from 1", []string{"check", "--step", "7", "--runs", "0"}},
		{"no command", "after -- comes", []string{"check", "--"}},
		{"stray argument", "A command to start goes after --", []string{"check", "server.js"}},
		{"too many runs", "whole numbers from 1", []string{"check", "--step", "7", "--runs", "1000000000"}},
		{"file that cannot be written", "/proc/no", []string{"check", "--step", "7", "--json", "/proc/no/v.json"}},
		{"url that is none", "is no address of a server", []string{"check", "--url", "localhost"}},
		{"soak of a step that is none", "12", []string{"soak", "--steps", "7,12"}},
		{"soak with a stray argument", "soak takes no arguments", []string{"soak", "7"}},
		{"soak of fewer than none", "--runs is a whole number", []string{"soak", "--runs", "-1"}},
		{"no such lab", "there are real and virtual", []string{"matrix", "--lab", "paper"}},
		{"a sweep in the real lab", "add --lab virtual", []string{"check", "--step", "7", "--sweep", "single"}},
		{"a sweep of scenarios", "leave out --scenario", []string{"check", "--step", "7", "--lab", "virtual", "--sweep", "single", "--scenario", "24"}},
		{"a sweep of scenarios of one's own", "leave out --scenario and --scenarios", []string{"check", "--step", "7", "--lab", "virtual", "--sweep", "single", "--scenarios", "."}},
		{"an own page of a step", "--own-page is for", []string{"check", "--step", "7", "--own-page"}},
		{"an own page of a command", "--own-page is for", []string{"check", "--own-page", "--", "node", "server.js"}},
		{"an own page at a URL", "--own-page is for", []string{"check", "--own-page", "--url", "http://127.0.0.1:1"}},
		{"a sweep of pairs with a limit", "bounded by --runs", []string{"check", "--step", "7", "--lab", "virtual", "--sweep", "pairs", "--time-limit", "9s"}},
		{"a sweep with so many at once", "leave out --parallel", []string{"check", "--step", "7", "--lab", "virtual", "--sweep", "single", "--parallel", "2"}},
		{"a command in the virtual lab", "needs a server in its own process", []string{"check", "--lab", "virtual", "--", "node", "server.js"}},
		{"whole without a sweep", "--whole is", []string{"check", "--step", "7", "--whole"}},
		{"points without a sweep", "--points is", []string{"check", "--step", "7", "--points", "9"}},
		{"a sample of named rows", "leave out --scenario", []string{"matrix", "--sample", "3", "--scenario", "24"}},
		{"no time for a run", "at least 1s", []string{"check", "--step", "7", "--run-limit", "5ms"}},
		{"a time for a virtual run", "for the real lab", []string{"matrix", "--lab", "virtual", "--run-limit", "5m"}},
		{"no time at all", "at least 1s", []string{"check", "--step", "7", "--time-limit", "5ms"}},
		{"an outcome that is none", "--fail-on is fail or inconclusive", []string{"check", "--step", "7", "--fail-on", "pass"}},
		{"a shard without a seed", "--shard needs --seed", []string{"check", "--step", "7", "--shard", "1/2"}},
		{"a shard that is none", "such as 2/5", []string{"check", "--step", "7", "--seed", "1", "--shard", "3/2"}},
		{"known failures of a sweep", "leave out --expect", []string{"check", "--step", "7", "--lab", "virtual", "--sweep", "single", "--expect", "known.txt"}},
		{"no file of known failures", "--expect: open", []string{"check", "--step", "7", "--expect", "no-such-file"}},
		{"no such client", "there are official, python, go", []string{"check", "--step", "7", "--client", "perl"}},
		{"another client in the virtual lab", "leave out --lab", []string{"check", "--step", "7", "--lab", "virtual", "--client", "go"}},
		{"another client of a server that is not the kit's", "add --step N", []string{"check", "--client", "go", "--", "node", "server.js"}},
		{"an outbox that a client does not have", "does not offer durable-delivery", []string{"check", "--step", "10", "--client", "go"}},
		{"auto of a sweep", "leave out --sweep", []string{"check", "--step", "7", "--level", "auto", "--lab", "virtual", "--sweep", "single"}},
		{"auto of a part", "leave out --sweep, --shard", []string{"check", "--step", "7", "--level", "auto", "--seed", "1", "--shard", "1/2"}},
		{"a badge of a sweep", "leave out --badge", []string{"check", "--step", "7", "--lab", "virtual", "--sweep", "single", "--badge", "b.svg"}},
		{"a badge that cannot be written", "/proc/no", []string{"check", "--step", "7", "--badge", "/proc/no/b.svg"}},
		{"a table that cannot be written", "/proc/no", []string{"conformance", "--json", "/proc/no/c.json", hostileTarget(t, "right", "isolated: true", "")}},
		{"learn what there is not", "the exercises are 3, 4", []string{"learn", "hint", "12"}},
		{"learn without a step", "such as 7", []string{"learn", "check"}},
		{"learn with a stray argument", "learn takes no arguments", []string{"learn", "7"}},
		{"a doctor of nothing", "doctor needs one of", []string{"doctor"}},
		{"a doctor of two", "looks at one application", []string{"doctor", "--url", "http://127.0.0.1:1", "--", "true"}},
		{"a doctor without a command", "after -- comes", []string{"doctor", "--"}},
		{"a doctor of no file", "no such file", []string{"doctor", "--config", "no-such-file"}},
		{"init of two", "init needs one of --command LINE", []string{"init", "--url", "http://127.0.0.1:1", "--command", "true"}},
		{"init at no level", "the levels are", []string{"init", "--url", "http://127.0.0.1:1", "--level", "best"}},
		{"init of no address", "is no address", []string{"init", "--url", "localhost"}},
		{"init over a file", "exists already", []string{"init", "--output", source, "--command", "true"}},
		{"init that sends without a probe", "are for --probe", []string{"init", "--send", "--command", "true"}},
		{"a probe that knows already", "leave out --event", []string{"init", "--probe", "--event", "say", "--command", "true"}},
		{"a probe without time", "from 1s to 1h", []string{"init", "--probe", "--wait", "0s", "--command", "true"}},
		{"init with a path that is none", "does not begin with a slash", []string{"init", "--path", "ws", "--command", "true", "--output", "-"}},
		{"merge of no file", "merge needs the files", []string{"merge"}},
		{"merge for an outcome that is none", "--fail-on is fail or inconclusive", []string{"merge", "--fail-on", "pass", "1.json"}},
		{"merge of what is no report", "main.go is not what redial writes", []string{"merge", source, source}},
		{"no such defect", "redial defects --list", []string{"defects", "no-such-defect"}},
		{"a list of defects with a seed", "leave out the other flags", []string{"defects", "--list", "--seed", "1"}},
		{"a list of defects for a file", "leave out the other flags", []string{"defects", "--list", "--json", "kills.json"}},
		{"list with an argument", "there is no scenario", []string{"list", "all"}},
		{"no lab to choose", "unknown flag: --lab", []string{"fidelity", "--lab", "real"}},
		{"several runs at once on a server that is shared", "leave out --parallel", []string{"check", "--parallel", "2", "--", "node", "server.js"}},
		{"several runs at once at a URL", "leave out --parallel", []string{"check", "--parallel", "2", "--url", "http://127.0.0.1:1"}},
		{"a real database in the virtual lab", "leave out --lab virtual", []string{"check", "--step", "9-postgres", "--lab", "virtual"}},
		{"soak of a real database", "does not run in the virtual lab", []string{"soak", "--steps", "9-postgres"}},
		{"one file for two reports", "name two files", []string{"check", "--step", "7", "--json", "v", "--junit", "v"}},
		{"one file for a report and a badge", "--json and --badge would both write v", []string{"check", "--step", "7", "--json", "./v", "--badge", "v"}},
		{"one file for a report and its page", "--junit and --report would both write", []string{"check", "--step", "7", "--junit", "out/index.html", "--report", "out"}},
		{"one dash", "the flag is --step, with two dashes", []string{"check", "-step=7"}},
		{"help on no command", "there is no command", []string{"help", "frobnicate"}},
		{"help on an argument", "has no command", []string{"help", "check", "server.js"}},
		{"completion for no such shell", "there are bash, fish", []string{"completion", "tcsh"}},
		{"replay of no file", "redial replay [--exact] [--times N] FILE", []string{"replay"}},
		{"replay of a link, exactly", "leave them out", []string{"replay", "--exact", "http://localhost:3000/#plan=zzz"}},
		{"replay of fewer than one", "from 1 to", []string{"replay", "--times", "0", "saved.json"}},
		{"recheck of no file", "recheck takes one file", []string{"recheck"}},
		{"recheck of a file that is not there", "no such file", []string{"recheck", "/no/history.jsonl"}},
		{"recheck of a folder", "is a directory", []string{"recheck", "/"}},
		{"recheck at no level", "the levels are", []string{"recheck", "--level", "best", "saved.json"}},
	} {
		t.Run(c.name, func(t *testing.T) { refusedAtOnce(t, c.want, c.arguments...) })
	}
}

// refusedAtOnce is refused for a command line that starts nothing and reads no input, which needs
// no process.
func refusedAtOnce(t *testing.T, want string, arguments ...string) {
	t.Helper()
	code, err := execute(arguments)
	if code != 3 || err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
		t.Errorf("redial %q: exit %d, %v, want one line with %q", arguments, code, err, want)
	}
}

func TestWhatCannotBeStartedIsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	refused(t, "no-such-program", "check", "--", "no-such-program")
	refused(t, "ended before it was ready", "check", "--scenario", "burst", "--", "sh", "-c", "echo no such luck >&2; exit 7")
	refused(t, "init needs one of --command LINE", "init") // in a pipe
}

// refused fails unless the command line is answered by one line on stderr that contains
// want, and by exit status 3.
func refused(t *testing.T, want string, arguments ...string) {
	t.Helper()
	o := redial(t, arguments...)
	if o.code != 3 || strings.Count(o.errors(), "\n") != 1 || !strings.Contains(strings.ToLower(o.stderr), strings.ToLower(want)) {
		t.Errorf("exit %d, %q%q, want one line with %q", o.code, o.stderr, o.stdout, want)
	}
}

// Every flag of every command refuses a missing value and one of the wrong type, and every
// command refuses an unknown flag.
func TestEveryFlagRefusesWrongValues(t *testing.T) {
	code := 0
	for _, c := range newRoot(&code).Commands() {
		refused := func(want string, flag string) {
			t.Helper()
			refusedAtOnce(t, want, c.Name(), flag)
		}
		refused("unknown flag: --fast", "--fast")
		c.Flags().VisitAll(func(flag *pflag.Flag) {
			if flag.NoOptDefVal == "" {
				refused("flag needs an argument: --"+flag.Name, "--"+flag.Name)
			}
			if kind := flag.Value.Type(); kind == "string" {
				refused("--"+flag.Name+" is empty", "--"+flag.Name+"=")
			} else {
				refused(`invalid argument "x" for --`+flag.Name+", which takes ", "--"+flag.Name+"=x")
			}
		})
	}
}

// Every command has a help page that names each of its flags. The shells have completion.
func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	code := 0
	for _, c := range newRoot(&code).Commands() {
		o := redial(t, c.Name(), "--help")
		if o.code != 0 || o.stderr != "" || !strings.Contains(o.stdout, "redial "+c.Name()) {
			t.Errorf("%s --help: exit %d, %q, %q", c.Name(), o.code, o.stdout, o.stderr)
		}
		if c.Short == "" || c.Example == "" && c.Name() != "help" && c.Name() != "completion" {
			t.Errorf("%s has no summary or no example", c.Name())
		}
		c.Flags().VisitAll(func(flag *pflag.Flag) {
			if !strings.Contains(o.stdout, "--"+flag.Name) || flag.Usage == "" {
				t.Errorf("the page of %s says nothing of --%s", c.Name(), flag.Name)
			}
		})
	}
	for _, c := range []struct{ want, line string }{
		{"Exit status: 0 pass", "--help"}, {"Exit status: 0 pass", "help"}, {"redial check", "help check"},
		{"complete -o default", "completion bash"}, {"#compdef redial", "completion zsh"},
		{"complete -c redial", "completion fish"},
		{"server-delivery", "__complete check --level s"}, {"clean-drop", "__complete matrix --scenario clean"},
		{"zishang520/socket.io/servers/socket", "version"}, {runtime.Version(), "version"},
		{"socket.io-client 4", "version"},
	} {
		if o := redial(t, strings.Fields(c.line)...); o.code != 0 || !strings.Contains(o.stdout, c.want) {
			t.Errorf("redial %s: exit %d, no %q in %q%q", c.line, o.code, c.want, o.stdout, o.stderr)
		}
	}
	if o := redial(t); o.code != 3 || !strings.Contains(o.stderr, "Usage:") || o.stdout != "" {
		t.Errorf("redial alone: exit %d, %q, %q", o.code, o.stdout, o.stderr)
	}
	// A flag after -- is the server's.
	if o := redial(t, "check", "--", "no-such-program", "--help"); o.code != 3 {
		t.Errorf("--help after -- printed redial's help: exit %d, %q", o.code, o.stdout)
	}
}

func TestShowsUTF8(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"LANG": "ko_KR.UTF-8"}, true},
		{map[string]string{"LANG": "C.utf8", "TERM": "xterm"}, true},
		{map[string]string{"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}, false},
		{map[string]string{"LC_CTYPE": "C.UTF-8", "LANG": "C"}, true},
		{map[string]string{"LANG": "C.UTF-8", "TERM": "dumb"}, false},
		{nil, false},
	} {
		if got := showsUTF8(func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%v: %t", c.env, got)
		}
	}
}
