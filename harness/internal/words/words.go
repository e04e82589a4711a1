// Package words formats phrases that several packages of the harness print.
//
// It imports no other package of the kit.
package words

import "strconv"

// Count is a number with its noun: "1 run", "2 runs".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
