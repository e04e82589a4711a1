package target

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// boundedOutput keeps the beginning and the end of what is written to it.
type boundedOutput struct {
	bound int

	mu      sync.Mutex
	head    []byte
	tail    []byte // the newest bytes after the head, at most twice the bound
	written int64
}

func newBoundedOutput(bound int) *boundedOutput { return &boundedOutput{bound: bound} }

// Write never fails.
func (o *boundedOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written += int64(len(p))
	fits := min(len(p), o.bound-len(o.head))
	o.head = append(o.head, p[:fits]...)
	o.tail = append(o.tail, p[fits:]...)
	if len(o.tail) > 2*o.bound { // trimmed now and then, not at every write
		o.tail = append([]byte(nil), o.tail[len(o.tail)-o.bound:]...)
	}
	return len(p), nil
}

// Written counts all bytes so far, kept or not.
func (o *boundedOutput) Written() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written
}

// String is the head and the tail, and between them how much was left out.
func (o *boundedOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	tail := o.tail[max(0, len(o.tail)-o.bound):]
	left := o.written - int64(len(o.head)+len(tail))
	if left == 0 {
		return string(o.head) + string(tail)
	}
	return fmt.Sprintf("%s\n… %d bytes left out …\n%s", o.head, left, tail)
}

// Since is what is kept of what was written after the first since bytes.
func (o *boundedOutput) Since(since int64) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if since < int64(len(o.head)) {
		return string(o.head[since:]) + string(o.tail)
	}
	return string(o.tail[max(0, len(o.tail)-int(o.written-since)):])
}

// stackTrace is how many lines may follow the reason why a program ended.
const stackTrace = 40

// reason is how Node.js and Python begin the line that says it.
var reason = regexp.MustCompile(`^(Uncaught )?(\w+\.)*\w*(Error|Exception)( \[\w+\])?:`)

// LastLine is the line that says why the program ended, or the last one with anything on
// it, of what was written after the first since bytes; shortened to fit into an error.
func (o *boundedOutput) LastLine(since int64) string {
	o.mu.Lock()
	kept := o.tail
	if len(kept) == 0 {
		kept = o.head
	}
	text := string(kept[max(0, len(kept)-int(min(int64(len(kept)), o.written-since))):])
	o.mu.Unlock()

	return LastLine(text)
}

// LastLine is the line of a server's output that says why it ended, or the last one with
// anything on it, fit to be a part of
// an error: shortened, and without what would control a terminal.
func LastLine(output string) string {
	plain := func(line string) string {
		return strings.TrimSpace(strings.Map(func(r rune) rune {
			if r == utf8.RuneError || !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, line))
	}
	lines := strings.FieldsFunc(output, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range lines[max(0, len(lines)-stackTrace):] {
		if reason.MatchString(line) { // what follows it is a stack trace
			lines = append(lines, line)
		}
	}
	for _, line := range slices.Backward(lines) {
		line = plain(line[:min(len(line), 4*longestLine)])
		if characters := []rune(line); len(characters) > longestLine {
			line = string(characters[:longestLine]) + "…"
		}
		if line != "" {
			return line
		}
	}
	return ""
}

// longestLine is how many characters of a server's line are shown.
const longestLine = 300
