package lab_test

import (
	"runtime"
	"strings"
)

// bubbleID returns the text by which the runtime marks this bubble's goroutines in traces,
// which no function of the runtime returns.
func bubbleID() string {
	header := make([]byte, 128)
	text := string(header[:runtime.Stack(header, false)])
	if from := strings.Index(text, "synctest bubble "); from >= 0 {
		if end := strings.IndexAny(text[from:], ",]"); end >= 0 {
			return text[from : from+end]
		}
	}
	return ""
}

// goroutines returns, for each goroutine of a bubble, its current function and the one that
// created it.
func goroutines(bubble string) []string {
	traces := make([]byte, 1<<20)
	for {
		n := runtime.Stack(traces, true)
		if n < len(traces) {
			traces = traces[:n]
			break
		}
		traces = make([]byte, 2*len(traces))
	}
	var found []string
	for _, trace := range strings.Split(string(traces), "\n\n") {
		lines := strings.Split(trace, "\n")
		if header := lines[0]; bubble == "" || !strings.Contains(header, bubble+"]") && !strings.Contains(header, bubble+",") {
			continue
		}
		where := "?"
		if len(lines) > 1 {
			where, _, _ = strings.Cut(lines[1], "(0x")
		}
		for _, line := range lines {
			if by, ok := strings.CutPrefix(line, "created by "); ok {
				by, _, _ = strings.Cut(by, " in goroutine")
				where += ", made by " + by
			}
		}
		found = append(found, where)
	}
	return found
}
