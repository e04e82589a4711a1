package wire

import (
	"bytes"
	"errors"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"redial/harness/protocol"
)

// This file has the two encodings of Socket.IO packets. JSON is the library's own parser.
// MessagePack is that of socket.io-msgpack-parser: a packet is one binary message, the map
// {type, data, id, nsp}, which includes binary data.

// encode encodes a packet as Engine.IO messages.
func encode(in protocol.Parser, p *parser.Packet) (packets []packet) {
	if in == protocol.MessagePack {
		return []packet{{binary: encodeMessagePack(p)}}
	}
	for _, buffer := range parser.NewEncoder().Encode(p) {
		if _, isText := buffer.(*types.StringBuffer); isText {
			packets = append(packets, packet{text: messagePacket + buffer.String()})
		} else {
			packets = append(packets, packet{binary: buffer.Bytes()})
		}
	}
	return packets
}

// A decoder calls take with each packet that is complete.
type decoder struct {
	parser.Decoder
	in   protocol.Parser
	take func(*parser.Packet)
}

func newDecoder(in protocol.Parser, take func(*parser.Packet)) *decoder {
	d := &decoder{parser.NewDecoder(&parser.DecoderOptions{MaxAttachments: 1000}), in, take}
	d.On("decoded", func(args ...any) { take(args[0].(*parser.Packet)) }) // Add emits it synchronously
	return d
}

// add decodes an Engine.IO message.
func (d *decoder) add(p packet) error {
	switch {
	case d.in == protocol.MessagePack:
		decoded, err := decodeMessagePack(p.binary)
		if err == nil {
			d.take(decoded)
		}
		return err
	case p.binary != nil:
		return d.Add(p.binary)
	}
	return d.Add(p.text)
}

func encodeMessagePack(p *parser.Packet) []byte {
	var buffer bytes.Buffer
	e := msgpack.NewEncoder(&buffer)
	e.SetSortMapKeys(true)
	e.SetCustomStructTag("json")
	e.UseCompactInts(true)
	e.UseCompactFloats(true)             // a whole number is an integer, as in JavaScript
	fields := []any{"type", int(p.Type)} // in the official parser's order
	if p.Data != nil {
		fields = append(fields, "data", p.Data)
	}
	if p.Id != nil {
		fields = append(fields, "id", *p.Id)
	}
	fields = append(fields, "nsp", p.Nsp)
	_ = e.EncodeMapLen(len(fields) / 2) // writing to a buffer never fails
	_ = e.EncodeMulti(fields...)        // fails only for values that package json cannot encode either
	return buffer.Bytes()
}

var errMessagePack = errors.New("not a packet of socket.io-msgpack-parser")

func decodeMessagePack(data []byte) (*parser.Packet, error) {
	r := &messagePackReader{rest: bytes.NewReader(data)}
	r.d = msgpack.NewDecoder(r.rest)
	value, err := r.value(0)
	if err != nil {
		return nil, err
	}
	fields, _ := value.(map[string]any)
	kind, hasType := protocol.WholeNumber(fields["type"])
	namespace, hasNamespace := fields["nsp"].(string)
	if !hasType || kind < 0 || kind > int64(parser.CONNECT_ERROR) || !hasNamespace || r.rest.Len() > 0 {
		return nil, errMessagePack
	}
	p := &parser.Packet{Type: parser.PacketType(kind), Nsp: namespace, Data: fields["data"]}
	if _, isList := p.Data.([]any); !isList && (p.Type == parser.EVENT || p.Type == parser.ACK) {
		return nil, errMessagePack
	}
	if number, ok := protocol.WholeNumber(fields["id"]); ok && number >= 0 {
		id := uint64(number)
		p.Id = &id
	}
	return p, nil
}

// A messagePackReader decodes numbers as package json does, so that the rest of the client
// handles one type of number, and binary data as the library's parser does.
type messagePackReader struct {
	d    *msgpack.Decoder
	rest *bytes.Reader
}

// maxDepth bounds the nesting of a value as package json does, because decoding is recursive.
const maxDepth = 10000

func (r *messagePackReader) value(depth int) (any, error) {
	code, err := r.d.PeekCode()
	switch {
	case err != nil:
		return nil, err
	case depth > maxDepth:
		return nil, errMessagePack
	case msgpcode.IsFixedMap(code), code == msgpcode.Map16, code == msgpcode.Map32:
		n, err := r.d.DecodeMapLen()
		fields := map[string]any{}
		for i := 0; i < n && err == nil; i++ {
			var key string
			if key, err = r.d.DecodeString(); err == nil {
				fields[key], err = r.value(depth + 1)
			}
		}
		return fields, err
	case msgpcode.IsFixedArray(code), code == msgpcode.Array16, code == msgpcode.Array32:
		n, err := r.d.DecodeArrayLen()
		list := []any{}
		for i := 0; i < n && err == nil; i++ {
			var value any
			value, err = r.value(depth + 1)
			list = append(list, value)
		}
		return list, err
	case msgpcode.IsExt(code):
		return r.extension(code)
	case msgpcode.IsBin(code):
		data, err := r.d.DecodeBytes()
		return types.NewBytesBuffer(data), err
	}
	value, err := r.d.DecodeInterfaceLoose()
	switch typed := value.(type) {
	case int64:
		return float64(typed), err
	case uint64:
		return float64(typed), err
	}
	return value, err
}

// extension decodes the extensions of notepack.io: undefined is a fixext 1. Date and ArrayBuffer
// have other lengths and become bytes.
func (r *messagePackReader) extension(code byte) (any, error) {
	_, length, err := r.d.DecodeExtHeader()
	if err != nil || length > r.rest.Len() {
		return nil, errMessagePack
	}
	data := make([]byte, length)
	if err := r.d.ReadFull(data); err != nil {
		return nil, err
	}
	if code == msgpcode.FixExt1 {
		return nil, nil
	}
	return types.NewBytesBuffer(data), nil
}
