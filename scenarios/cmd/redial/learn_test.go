package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redial/scenarios/exercises"
)

// kitCopy is a folder like the kit's, with a steps folder of its own, so that a test starts
// exercises without touching the learner's.
func kitCopy(t *testing.T) string {
	t.Helper()
	root, err := exercises.Root()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	link := func(from, to string) {
		entries, err := os.ReadDir(filepath.Join(root, from))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := filepath.Join(from, e.Name())
			if e.Name() == "steps" || e.Name() == "out" || strings.HasPrefix(e.Name(), "exercise") || strings.HasPrefix(e.Name(), ".git") {
				continue
			}
			if err := os.Symlink(filepath.Join(root, name), filepath.Join(folder, to, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	link(".", ".")
	if err := os.Mkdir(filepath.Join(folder, "steps"), 0o755); err != nil {
		t.Fatal(err)
	}
	link("steps", "steps")
	return folder
}

// learn runs the command in a kit of the test's own, in a language.
func learn(t *testing.T, kit, locale string, arguments ...string) outcome {
	t.Helper()
	t.Setenv("LC_ALL", locale)
	t.Chdir(kit)
	return redial(t, append([]string{"learn"}, arguments...)...)
}

func TestLearnOutsideOfTheKit(t *testing.T) {
	if o := learn(t, t.TempDir(), "C"); o.code != 3 || !strings.Contains(o.stderr, "in Redial's own folder") {
		t.Errorf("exit %d, %q", o.code, o.stderr)
	}
}

// What is said of an exercise before it is checked, in a pipe.
func TestLearnBeforeTheFirstCheck(t *testing.T) {
	kit := kitCopy(t)
	for _, step := range []struct {
		locale, stdout, stderr string
		code                   int
		arguments              []string
	}{
		{"C", "not started", "", 0, nil},
		{"ko_KR.UTF-8", "시작 안 함", "", 0, nil},
		{"C", "", "make start-exercise-7a", 3, []string{"check", "7a"}},
		{"C", "", "make start-exercise-7a", 3, []string{"hint", "7a"}},
		{"C", "steps/exercise7a", "", 0, []string{"start", "7a"}},
		{"C", "", "RESET=1", 3, []string{"start", "7a"}},
		{"ko_KR.UTF-8", "", "이미 있습니다", 3, []string{"start", "7a"}},
		{"C", "started", "", 0, nil},
		{"C", "Hint 1/3", "", 0, []string{"hint", "7a"}},
		{"ko_KR.UTF-8", "힌트 2/3", "", 0, []string{"hint", "7a"}},
		{"C", "Hint 3/3", "", 0, []string{"hint", "7a"}},
		{"C", "These are all", "", 0, []string{"hint", "7a"}},
		{"C", "\n+        messages.textContent = \"\";\n", "", 0, []string{"solution", "7a"}},
		{"C", "\n+        messages.textContent = \"\";\n", "", 0, []string{"solution", "7a"}},
		{"C", "", "letter of a choice", 3, []string{"check", "7a", "--answer", "e"}},
		{"C", "steps/exercise7a", "", 0, []string{"start", "7a", "--reset"}},
		{"C", "Hint 1/3", "", 0, []string{"hint", "7a"}},
	} {
		o := learn(t, kit, step.locale, step.arguments...)
		if o.code != step.code || !strings.Contains(o.stdout, step.stdout) || !strings.Contains(o.stderr, step.stderr) {
			t.Errorf("learn %v: exit %d, %q, %q", step.arguments, o.code, o.stdout, o.stderr)
		}
	}
}

// A learner's way through one exercise: a mistake that does not compile, the first failure,
// the solution. The kit's own files stay as they are.
func TestLearnFromTheFirstFailureToTheSolution(t *testing.T) {
	if underRace {
		t.Skip("builds a copy and plays it: make test does it without the race detector")
	}
	kit := kitCopy(t)
	if o := learn(t, kit, "C", "start", "7a"); o.code != 0 {
		t.Fatalf("exit %d, %s", o.code, o.stderr)
	}
	edit := func(file string, change func(string) string) {
		t.Helper()
		path := filepath.Join(kit, "steps", "exercise7a", file)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		after := change(string(before))
		if after == string(before) {
			t.Fatalf("%s has no place for the edit", file)
		}
		if err := os.WriteFile(path, []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	replace := func(old, by string) func(string) string {
		return func(text string) string { return strings.Replace(text, old, by, 1) }
	}
	has := func(o outcome, code int, all ...string) {
		t.Helper()
		for _, want := range all {
			if !strings.Contains(o.stdout, want) {
				t.Errorf("%q is missing", want)
			}
		}
		if o.code != code || t.Failed() {
			t.Fatalf("exit %d, %s%s", o.code, o.stdout, o.stderr)
		}
	}

	edit("chat.go", replace("c.state()", "c.stat()"))
	has(learn(t, kit, "C", "check", "7a"), 1, "a) ", "ANSWER=a", "does not compile", "steps/exercise7a/chat.go:", "c.stat undefined")
	edit("chat.go", replace("c.stat()", "c.state()"))

	has(learn(t, kit, "C", "check", "7a", "--answer", "b"), 1,
		"✗ clean-drop", "You said b; it is a", "What happens in clean-drop", "no-duplicate", "out/exercise-7a.html", "Not yet", "make hint-7a")
	if picture, err := os.ReadFile(filepath.Join(kit, "out", "exercise-7a.html")); err != nil || !strings.Contains(string(picture), "<svg") {
		t.Errorf("the picture: %v", err)
	}
	has(learn(t, kit, "C"), 0, " of 4 scenarios")

	edit("index.html", replace("texts.forEach(show);", "messages.textContent = \"\"; texts.forEach(show);"))
	edit("chat.go", replace("\tclient.Join(room)\n\tmessages, err := c.state()", "\tc.order.Lock()\n\tdefer c.order.Unlock()\n\tmessages, err := c.state()"))
	edit("chat.go", replace("client.Emit(\"state\", messages)\n", "client.Emit(\"state\", messages)\n\t\tclient.Join(room)\n"))
	edit("chat.go", replace("(int64, error) {\n", "(int64, error) {\n\tc.order.Lock()\n\tdefer c.order.Unlock()\n"))
	has(learn(t, kit, "ko_KR.UTF-8", "check", "7a"), 0, "해결: 시나리오 4개가 모두", "make solution-7a")
	has(learn(t, kit, "C"), 0, "solved", "1 of 9 solved")
}
