package wire

import (
	"encoding/base64"
	"maps"
	"slices"

	"github.com/zishang520/socket.io/v3/pkg/types"

	"redial/harness/history"
	"redial/harness/protocol"
)

// A page is what a view shows, as far as it decides what is shown next.
type page struct {
	// own counts the messages that were shown when they were sent and have not come from
	// the server since, by text.
	own map[string]int
	// shown has the offsets of what is shown, 0 for none, by text. It is kept only where
	// the protocol has a History to compare with it.
	shown map[string][]int64
}

func newPage() page { return page{own: map[string]int{}, shown: map[string][]int64{}} }

// show shows the messages in an event.
func (v *view) show(event string, args []any) {
	messages, whole := v.wire.speaks.Read(event, args)
	v.cursors.Number(messages)
	if whole && !v.wire.Raw {
		v.showMissing(messages)
		return
	}
	for _, m := range messages {
		if m.Numbered && v.wire.options.Protocol == nil {
			// A string there is what connection state recovery adds to an event.
			_, m.Numbered = args[1].(float64)
		}
		v.onMessage(m)
	}
}

// onMessage shows a message and then moves the offset.
func (v *view) onMessage(m protocol.Message) {
	e := shownEvent(m)
	echoed := v.page.own[e.Message] > 0
	if !v.wire.Raw && m.Numbered && e.Offset <= v.offset && !echoed {
		return
	}
	if v.wire.Raw || !echoed {
		v.put(e)
	}
	v.arrived(e)
}

// showMissing shows those of all messages that this view does not show yet. A message
// that is in the list more often than here is missing as often as that.
func (v *view) showMissing(messages []protocol.Message) {
	shown := map[string][]int64{}
	for text, offsets := range maps.All(v.page.shown) {
		shown[text] = slices.Clone(offsets)
	}
	for _, m := range messages {
		e := shownEvent(m)
		offsets := shown[e.Message]
		at := slices.Index(offsets, e.Offset)
		if at < 0 { // one of the two was sent without an offset
			at = slices.IndexFunc(offsets, func(offset int64) bool { return offset == 0 || e.Offset == 0 })
		}
		if at < 0 {
			v.put(e)
		} else {
			shown[e.Message] = slices.Delete(offsets, at, at+1)
		}
		v.arrived(e)
	}
}

// showOwn shows a message that the server will not send to its sender.
func (v *view) showOwn(text string) {
	v.page.own[text]++
	v.put(history.Event{Kind: history.Shown, Message: text})
}

// put adds a message to the page.
func (v *view) put(e history.Event) {
	v.shown++
	if v.wire.speaks.History != nil {
		v.page.shown[e.Message] = append(v.page.shown[e.Message], e.Offset)
	}
	if v.wire.speaks.Receive.Opaque && !v.wire.Raw { // whose rows a log's reader counts
		e.Offset = 0
	}
	v.record(e)
}

// arrived notes that the server has sent a message, shown or not.
func (v *view) arrived(e history.Event) {
	if v.page.own[e.Message] > 1 {
		v.page.own[e.Message]--
	} else {
		delete(v.page.own, e.Message)
	}
	v.settled(e.Message)
	v.offset = max(v.offset, e.Offset)
}

func shownEvent(m protocol.Message) history.Event {
	e := history.Event{Kind: history.Shown, Message: describe(m.Text)}
	if m.Numbered {
		e.Offset = m.Offset
	}
	return e
}

// describe is the text of a value: a string as it is, binary in base64, and
// anything else as JSON.
func describe(value any) string {
	if binary, ok := value.(types.BufferInterface); ok {
		return "binary:" + base64.StdEncoding.EncodeToString(binary.Bytes())
	}
	return protocol.TextOf(value)
}
