package network

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// readable rewrites the beginning of an Engine.IO packet in the form of a Match: as text, and in
// the default namespace. `42/chat,["hi"]` becomes `42["hi"]`, and so does its encoding by
// socket.io-msgpack-parser. Any other packet stays as it is. partial means that the result may
// be longer when more of the packet is known.
func readable(packet []byte) (text string, partial bool) {
	packet = packet[:min(len(packet), maxPayload)]
	switch {
	case len(packet) == 0:
		return "", true
	case packet[0] == '4' && len(packet) > 2 && packet[2] == '/':
		_, rest, found := bytes.Cut(packet, []byte(","))
		if !found {
			return "", true
		}
		return string(packet[:2]) + string(rest), true
	case packet[0] == 'b': // in a polling payload
		encoded := packet[1:]
		data := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
		n, _ := base64.StdEncoding.Decode(data, encoded[:len(encoded)/4*4])
		return readableMap(data[:n]), true
	case msgpcode.IsFixedMap(packet[0]):
		return readableMap(packet), true
	}
	return string(packet), false
}

// readableMap rewrites a packet of socket.io-msgpack-parser, which is the map {type, data,
// options, id, nsp}. An acknowledgement by the server has the id first.
func readableMap(packet []byte) string {
	d := msgpack.NewDecoder(bytes.NewReader(packet))
	fields, _ := d.DecodeMapLen()
	head, id := "", ""
	for range fields {
		// The packet may be cut off anywhere. The result is what comes before that.
		key, err := d.DecodeString()
		if err != nil {
			break
		}
		switch key {
		case "type":
			if kind, err := d.DecodeInt(); err == nil && kind >= 0 && kind <= 4 {
				head = "4" + strconv.Itoa(kind)
			}
		case "id":
			if number, err := d.DecodeUint64(); err == nil {
				id = strconv.FormatUint(number, 10)
			}
		case "data":
			if head != "" {
				return head + id + opening(d)
			}
			return ""
		default:
			if head == "" || d.Skip() != nil {
				return head
			}
		}
	}
	if head == "" {
		return "" // a binary attachment that is a map
	}
	return head + id
}

// opening is the beginning of the payload as JSON, up to and including an event's name.
func opening(d *msgpack.Decoder) string {
	code, err := d.PeekCode()
	switch {
	case err == nil && msgpcode.IsFixedMap(code):
		return "{"
	case err != nil || !msgpcode.IsFixedArray(code) && code != msgpcode.Array16:
		return ""
	}
	if _, err := d.DecodeArrayLen(); err != nil {
		return ""
	}
	name, err := d.DecodeString()
	if err != nil {
		return "["
	}
	quoted, _ := json.Marshal(name)
	return "[" + string(quoted)
}
