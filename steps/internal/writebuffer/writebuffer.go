// Package writebuffer measures, for tests, the library's buffer for a connection whose
// client does not read. The library does not export that buffer.
//
// Read [Len]. The package must not import a step.
package writebuffer

import (
	"reflect"
	"unsafe"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// Len returns the number of packets in the buffer of the library (servers/engine v3.0.2) for
// the client's connection. Packets that the transport is writing are not counted.
func Len(client *socket.Socket) int {
	field := reflect.ValueOf(client.Conn()).Elem().FieldByName("writeBuffer")
	buffer := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Interface()
	return buffer.(*types.Slice[*packet.Packet]).Len()
}
