package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redial/harness/lab/race"
	"redial/scenarios/exercises"
)

// kitCopy is a folder with links to the kit's files and a steps folder of its own, so that a
// test does not touch a learner's exercises.
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

// learn runs the command in a copy of the kit, in the language of a locale.
func learn(t *testing.T, kit, locale string, arguments ...string) outcome {
	t.Helper()
	c := command(t, append([]string{"learn"}, arguments...)...)
	c.Dir, c.Env = kit, append(c.Env, "LC_ALL="+locale)
	return run(t, c)
}

func TestLearnOutsideOfTheKitIsRefused(t *testing.T) {
	if o := learn(t, t.TempDir(), "C"); o.code != 3 || !strings.Contains(o.stderr, "in Redial's own folder") {
		t.Errorf("exit %d, %q", o.code, o.stderr)
	}
}

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

// The learner makes an error that does not compile, sees the first failure, and solves the
// exercise.
func TestLearnFromTheFirstFailureToTheSolution(t *testing.T) {
	if race.Enabled {
		t.Skip("builds a copy and plays it: make test does it without the race detector")
	}
	kit := kitCopy(t)
	if o := learn(t, kit, "C", "start", "7a"); o.code != 0 {
		t.Fatalf("exit %d, %s", o.code, o.stderr)
	}
	edit := func(file, old, by string) {
		t.Helper()
		path := filepath.Join(kit, "steps", "exercise7a", file)
		before := read(t, path)
		after := strings.Replace(before, old, by, 1)
		if after == before {
			t.Fatalf("%s has no %q", file, old)
		}
		write(t, path, after)
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

	edit("chat.go", "c.state()", "c.stat()")
	has(learn(t, kit, "C", "check", "7a"), 1, "a) ", "ANSWER=a", "does not compile", "steps/exercise7a/chat.go:", "c.stat undefined")
	// A prediction counts only once it can be compared.
	has(learn(t, kit, "C", "check", "7a", "--answer", "b"), 1, "does not compile")
	edit("chat.go", "c.stat()", "c.state()")

	has(learn(t, kit, "C", "check", "7a", "--answer", "b"), 1,
		"✗ clean-drop", "Your answer is b; the right one is a", "What happens in clean-drop", "no-duplicate", "out/exercise-7a.html", "Not yet", "make hint-7a")
	if picture, err := os.ReadFile(filepath.Join(kit, "out", "exercise-7a.html")); err != nil || !strings.Contains(string(picture), "<svg") {
		t.Errorf("the picture: %v", err)
	}
	has(learn(t, kit, "C"), 0, " of 4 scenarios")

	edit("index.html", "texts.forEach(show);", "messages.textContent = \"\"; texts.forEach(show);")
	edit("chat.go", "\tclient.Join(room)\n\tmessages, err := c.state()", "\tc.order.Lock()\n\tdefer c.order.Unlock()\n\tmessages, err := c.state()")
	edit("chat.go", "client.Emit(\"state\", messages)\n", "client.Emit(\"state\", messages)\n\t\tclient.Join(room)\n")
	edit("chat.go", "(int64, error) {\n", "(int64, error) {\n\tc.order.Lock()\n\tdefer c.order.Unlock()\n")
	has(learn(t, kit, "ko_KR.UTF-8", "check", "7a"), 0, "해결: 시나리오 4개가 모두", "make solution-7a")
	has(learn(t, kit, "C"), 0, "solved", "1 of 9 solved")
}
