package wire

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
)

// Emit emits any event, without an acknowledgement and without a record in the history. Package
// json must be able to encode the arguments; a []byte as an argument, in a []any or in a
// map[string]any is sent as a binary attachment.
func (w *Client) Emit(event string, args ...any) error {
	if _, err := json.Marshal(args); err != nil {
		return fmt.Errorf("the event %q cannot be encoded as JSON: %w", event, err)
	}
	return w.withView(func(v *view) error {
		v.emit(&parser.Packet{Type: parser.EVENT, Data: append([]any{event}, args...)})
		return nil
	})
}

// SendPacket sends an Engine.IO packet unchanged, valid or not, for instance
// `42["chat message"]`. It needs a connection, but no answer to CONNECT.
func (w *Client) SendPacket(text string) error {
	return w.withView(func(v *view) error {
		if v.manager == nil || v.manager.engine == nil {
			return errors.New("there is no connection to send the packet on")
		}
		v.manager.engine.send(packet{text: text})
		return nil
	})
}
