package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxLine bounds a line of a history that is read, in bytes.
const maxLine = 64 << 20

// Write writes the events as JSON lines.
func Write(w io.Writer, events []Event) error {
	buffered := bufio.NewWriterSize(w, 64<<10)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for i := range events {
		if err := encoder.Encode(&events[i]); err != nil {
			return fmt.Errorf("writing the history: %w", err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("writing the history: %w", err)
	}
	return nil
}

// Read reads a history that Write or a person has written. A line that is no event is an error
// that names the line and the field. Empty lines are skipped.
//
// A line may leave out two fields. Without "at" it has the time of the line before. Without
// "view" it belongs to the current page load of the client; a client's first line, and each
// "opened", begins the next one.
func Read(r io.Reader) ([]Event, error) {
	var events []Event
	for e, err := range Each(r) {
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// EachOf reads the events of a JSON array, as in a saved failure, one after the other. The
// decoder has to be positioned before the array, and is behind it afterwards.
func EachOf(d *json.Decoder) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if t, err := d.Token(); err != nil {
			yield(Event{}, fmt.Errorf("reading the history: %w", err))
			return
		} else if t != json.Delim('[') {
			yield(Event{}, errors.New("the history is no list of events"))
			return
		}
		reader := lineReader{views: map[string]int{}}
		for n := 1; d.More(); n++ {
			var text json.RawMessage
			err := d.Decode(&text)
			if err != nil {
				yield(Event{}, fmt.Errorf("reading the history before event %d: %w", n, err))
				return
			}
			e, err := reader.read(text)
			if err != nil {
				yield(Event{}, fmt.Errorf("event %d of the history is none: %w", n, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if _, err := d.Token(); err != nil {
			yield(Event{}, fmt.Errorf("reading the end of the history: %w", err))
		}
	}
}

// Each is Read for a history that is too long for memory. It ends after the first error.
func Each(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		line := 0
		reader := lineReader{views: map[string]int{}}
		for lines.Scan() {
			line++
			text := bytes.TrimSpace(lines.Bytes())
			if len(text) == 0 {
				continue
			}
			e, err := reader.read(text)
			if err != nil {
				yield(Event{}, fmt.Errorf("line %d of the history is no event: %w", line, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Event{}, fmt.Errorf("reading the history after line %d: %w", line, err))
		}
	}
}
