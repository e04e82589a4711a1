package serve

import "sync/atomic"

// provided holds the client library, because a browser has no file system.
var provided atomic.Pointer[[]byte]

// Provide sets the pinned socket.io.js, which the page has fetched.
func Provide(bundle []byte) { provided.Store(&bundle) }

func find(build string) ([]byte, error) {
	if bundle := provided.Load(); bundle != nil && build == jsonBuild {
		return *bundle, nil
	}
	return nil, ErrNoBundle
}

// Fetch is the same as Bundle here. FetchMessagePack always fails.
func Fetch() ([]byte, error) { return find(jsonBuild) }

func FetchMessagePack() ([]byte, error) { return find(messagePackBuild) }
