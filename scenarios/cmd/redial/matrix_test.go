package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestMatrixReportsTheLevelByWhichItJudges(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "matrix.json")
	o := redial(t, "matrix", "--lab", "virtual", "--scenario", "clean-drop", "--seed", "1", "--json", file, "--report", folder)
	if text := read(t, file); o.code != 0 || !strings.Contains(text, `"level": "durable-delivery"`) {
		t.Errorf("exit %d, %s: %s%s", o.code, text, o.stdout, o.stderr)
	}
	if text := read(t, filepath.Join(folder, "index.html")); !strings.Contains(text, "durable-delivery") {
		t.Error("the HTML report does not name the level")
	}
}
