// Package writebuffer reads, for tests, the size of the library's buffer for a connection
// that is not read. The library does not export it, and a test should measure the buffer
// itself.
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
