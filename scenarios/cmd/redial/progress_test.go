package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBarFitsTheTerminal(t *testing.T) {
	for _, columns := range []int{0, 1, 20, 80, 200} {
		for _, ended := range []int{0, 1, 20, 40, 41} {
			line := bar(columns, ended, 40, "step 7   clean-drop   pass")
			if n := utf8.RuneCountInString(line); n > max(1, columns-1) {
				t.Errorf("%d columns in a terminal of %d: %s", n, columns, line)
			}
			full := strings.Count(line, "#")
			if want := 24 * min(ended, 40) / 40; columns >= 80 && (full != want || full+strings.Count(line, ".") != 24) {
				t.Errorf("%d of 40: %s", ended, line)
			}
		}
	}
	if line := bar(80, 3, 0, "soak"); !strings.HasPrefix(line, "[....") {
		t.Errorf("a bar towards an unknown end: %s", line)
	}
}
