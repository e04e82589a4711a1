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

// BoundedOutput keeps the beginning and the end of what is written to it, so that a server
// cannot fill the memory with its log.
type BoundedOutput struct {
	bound int

	mu      sync.Mutex
	head    []byte
	tail    []byte // the newest bytes after the head, at most twice the bound
	written int64
}

// NewBoundedOutput returns an empty one that keeps so many bytes of either.
func NewBoundedOutput(bound int) *BoundedOutput { return &BoundedOutput{bound: bound} }

// Write never fails.
func (o *BoundedOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written += int64(len(p))
	fits := min(len(p), o.bound-len(o.head))
	o.head = append(o.head, p[:fits]...)
	o.tail = append(o.tail, p[fits:]...)
	if len(o.tail) > 2*o.bound { // trimming at every write would copy the tail each time
		o.tail = append([]byte(nil), o.tail[len(o.tail)-o.bound:]...)
	}
	return len(p), nil
}

// Written counts all bytes so far, kept or not.
func (o *BoundedOutput) Written() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written
}

// String is the head and the tail, and between them how much was left out.
func (o *BoundedOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	tail := o.tail[max(0, len(o.tail)-o.bound):]
	left := o.written - int64(len(o.head)+len(tail))
	if left == 0 {
		return string(o.head) + string(tail)
	}
	return fmt.Sprintf("%s\n… %d bytes left out …\n%s", o.head, left, tail)
}

// Since returns what is kept of the bytes after the first since bytes.
func (o *BoundedOutput) Since(since int64) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if since < int64(len(o.head)) {
		return string(o.head[since:]) + string(o.tail)
	}
	return string(o.tail[max(0, len(o.tail)-int(o.written-since)):])
}

// stackTrace is how many lines of a stack trace may follow the line with the error. Node.js may
// print more, such as the files that it has tried, and ends with its version.
const stackTrace = 40

var (
	// errorLine matches the line with the error before a stack trace of Node.js or Python.
	errorLine = regexp.MustCompile(`^(Uncaught )?(\w+\.)*\w*(Error|Exception)( \[\w+\])?:`)
	// uncaught matches the line after the stack trace of an error that ended Node.js.
	uncaught = regexp.MustCompile(`^Node\.js v\d+\.\d+\.\d+$`)
)

// LastLine applies [LastLine] to what is kept of the bytes after the first since bytes.
func (o *BoundedOutput) LastLine(since int64) string {
	return LastLine(o.Since(since))
}

// LastLine returns the line of a server's output that gives the reason why it ended, or else
// the last line that is not blank. It is shortened and has no control characters, so that it
// can be a part of an error.
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
	from := max(0, len(lines)-stackTrace)
	if len(lines) > 0 && uncaught.MatchString(plain(lines[len(lines)-1])) {
		from = 0
	}
	for _, line := range lines[from:] {
		if errorLine.MatchString(line) { // what follows it is a stack trace
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
