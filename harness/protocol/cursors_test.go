package protocol

import (
	"reflect"
	"testing"
)

func TestCursorsAreNumberedInTheOrderInWhichTheyCome(t *testing.T) {
	p := Protocol{Receive: Receive{Event: "m", Text: "$.text", Offset: "$.id", Opaque: true}}
	var c Cursors
	var got []int64
	for _, id := range []any{"c", "a", "c", "12", nil, 12.5} {
		messages, _ := p.Read("m", []any{map[string]any{"text": "hi", "id": id}})
		if c.Number(messages); messages[0].Numbered != (id != nil) {
			t.Errorf("%v has an offset: %v", id, messages[0].Numbered)
		}
		got = append(got, messages[0].Offset)
	}
	if want := []int64{1, 2, 1, 3, 0, 4}; !reflect.DeepEqual(got, want) {
		t.Errorf("numbers %v, want %v", got, want)
	}
	for number, want := range map[int64]any{0: nil, 2: "a", 4: 12.5, 5: nil} {
		values := Values{Offset: number}
		c.Offset(values, number)
		if value, known := values[Offset]; value != want || known != (want != nil) {
			t.Errorf("%d is named as %v, %v, want %v", number, value, known, want)
		}
	}
}
