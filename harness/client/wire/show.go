package wire

import (
	"encoding/base64"
	"maps"
	"slices"

	"github.com/zishang520/socket.io/v3/pkg/types"

	"redial/harness/history"
	"redial/harness/protocol"
)

// A page has what a view needs to know about the shown messages to decide which ones to show next.
type page struct {
	// own counts, by text, the client's own messages that were shown without an echo and have
	// not come from the server since.
	own map[string]int
	// shown has, by text, the offsets of the shown messages, 0 for none. It is used only if
	// the protocol has a History, which is compared with it.
	shown map[string][]int64
}

// show shows the messages in an event.
func (v *view) show(event string, args []any) {
	messages, whole := v.wire.proto.Read(event, args)
	v.cursors.Number(messages)
	if whole && !v.wire.Raw {
		v.showMissing(messages)
		return
	}
	for _, m := range messages {
		if m.Numbered && v.wire.options.Protocol == nil {
			// A string is not the message's offset but that of connection state recovery.
			_, m.Numbered = args[1].(float64)
		}
		v.onMessage(m)
	}
}

// onMessage shows a message and then updates the offset.
func (v *view) onMessage(m protocol.Message) {
	e := shownEvent(m)
	echoed := v.page.own[e.Message] > 0
	if !v.wire.Raw && m.Numbered && e.Offset <= v.offset && !echoed {
		return
	}
	if v.wire.Raw || !echoed {
		v.display(e)
	}
	v.arrived(e)
}

// showMissing shows those messages of a complete list that this view does not show yet. A text
// that is in the list n times more than in the view is shown n times.
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
			v.display(e)
		} else {
			shown[e.Message] = slices.Delete(offsets, at, at+1)
		}
		v.arrived(e)
	}
}

// showOwn shows a message of the client whose server does not echo it.
func (v *view) showOwn(text string) {
	v.page.own[text]++
	v.display(history.Event{Kind: history.Shown, Message: text})
}

// display adds a message to the page and records it.
func (v *view) display(e history.Event) {
	v.shown++
	if v.wire.proto.History != nil {
		v.page.shown[e.Message] = append(v.page.shown[e.Message], e.Offset)
	}
	if v.wire.proto.Receive.Opaque && !v.wire.Raw { // with Raw, ReadLog needs the offset
		e.Offset = 0
	}
	v.record(e)
}

// arrived is called for each message from the server, shown or not.
func (v *view) arrived(e history.Event) {
	if v.page.own[e.Message] > 1 {
		v.page.own[e.Message]--
	} else {
		delete(v.page.own, e.Message)
	}
	v.offset = max(v.offset, e.Offset)
}

func shownEvent(m protocol.Message) history.Event {
	e := history.Event{Kind: history.Shown, Message: describe(m.Text)}
	if m.Numbered {
		e.Offset = m.Offset
	}
	return e
}

// describe returns a string unchanged, binary data in base64, and any other value as JSON.
func describe(value any) string {
	if binary, ok := value.(types.BufferInterface); ok {
		return "binary:" + base64.StdEncoding.EncodeToString(binary.Bytes())
	}
	return protocol.TextOf(value)
}
