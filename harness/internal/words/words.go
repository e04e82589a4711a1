// Package words formats phrases that several packages of the harness print.
//
// It imports no other package of the kit.
package words

import (
	"fmt"
	"strconv"
	"strings"
)

// Quoted quotes a text for an error: on one line, and shortened.
func Quoted(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		text = string(runes[:40]) + "…"
	}
	return fmt.Sprintf("%q", strings.ToValidUTF8(text, "?"))
}

// Count is a number with its noun: "1 run", "2 runs".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
