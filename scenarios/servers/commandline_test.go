package servers

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A shell makes the same words of a printed command.
func TestAShellTakesACommandLineAsItsWords(t *testing.T) {
	t.Parallel()
	words := []string{"bash", "-c", "exec ./step 7", "", "it's", "$HOME", "a\nb", "*", "~", "--port=1", "#", "서버"}
	line := CommandLine(words...)
	if plain := CommandLine("node", "./out/server.js", "--port=3000", "http://127.0.0.1:3000"); strings.Contains(plain, "'") {
		t.Errorf("quoted without need: %s", plain)
	}
	out, err := exec.Command("/bin/sh", "-c", `printf '%s\0' `+line).Output()
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(got, words) {
		t.Errorf("%s\n%q, want %q (%v)", line, got, words, err)
	}
}
