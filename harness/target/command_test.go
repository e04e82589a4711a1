package target

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redial/harness/target/ports"
)

// Close releases only a port that NewCommand has chosen, and a NewCommand that fails keeps none.
func TestCommandReleasesThePortThatItHasTaken(t *testing.T) {
	owner, err := NewCommand(CommandOptions{Command: []string{"true"}})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	given, err := NewCommand(CommandOptions{Command: []string{"true"}, Port: owner.options.Port})
	if err != nil {
		t.Fatal(err)
	}
	if err := given.Close(); err != nil {
		t.Fatal(err)
	}
	var drawn []int
	defer func() {
		for _, port := range drawn {
			ports.Release(port)
		}
	}()
	for port, err := ports.Take(1); err == nil; port, err = ports.Take(1) { // until few are left
		drawn = append(drawn, port)
	}
	if slices.Contains(drawn, owner.options.Port) {
		t.Errorf("the port %d was drawn twice", owner.options.Port)
	}
	const free = 2000
	for _, port := range drawn[:free] {
		ports.Release(port)
	}
	drawn = drawn[free:]
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range free + free/2 {
		_, err := NewCommand(CommandOptions{Command: []string{"true"}, DataDir: filepath.Join(file, "data")})
		if err == nil || !strings.HasPrefix(err.Error(), "the data folder cannot be made") {
			t.Fatal(err)
		}
	}
}
