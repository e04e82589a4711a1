// Package writebuffer looks into the library for tests: what it keeps for a connection
// that takes nothing is exported nowhere, and a test should count the thing itself.
package writebuffer

import (
	"reflect"
	"unsafe"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// Len is how many packets the library (servers/engine v3.0.2) has in its buffer for
// the client's connection. What the transport is writing is not among them.
func Len(client *socket.Socket) int {
	field := reflect.ValueOf(client.Conn()).Elem().FieldByName("writeBuffer")
	buffer := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Interface()
	return buffer.(*types.Slice[*packet.Packet]).Len()
}
