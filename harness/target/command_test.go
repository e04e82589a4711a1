package target

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Close releases only a port that NewCommand has chosen, and a NewCommand that fails keeps none.
// A port that is taken is an open file (a socket).
func TestCommandReleasesThePortThatItHasTaken(t *testing.T) {
	before := openFiles(t)
	owner, err := NewCommand(CommandOptions{Command: []string{"true"}})
	if err != nil {
		t.Fatal(err)
	}
	given, err := NewCommand(CommandOptions{Command: []string{"true"}, Port: owner.options.Port})
	if err != nil {
		t.Fatal(err)
	}
	if err := given.Close(); err != nil {
		t.Fatal(err)
	}
	if now := openFiles(t); now != before+1 {
		t.Errorf("%d open files, want %d and the port", now, before)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := NewCommand(CommandOptions{Command: []string{"true"}, DataDir: filepath.Join(file, "data")})
		if err == nil || !strings.HasPrefix(err.Error(), "the data folder cannot be made") {
			t.Fatal(err)
		}
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	if now := openFiles(t); now != before {
		t.Errorf("%d open files, want %d", now, before)
	}
}

func openFiles(t *testing.T) int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
