package serve

import "sync/atomic"

// provided is the client library, which has no file here.
var provided atomic.Pointer[[]byte]

// Provide gives the pinned socket.io.js. In a browser the page has fetched it.
func Provide(bundle []byte) { provided.Store(&bundle) }

func find(build string) ([]byte, error) {
	if bundle := provided.Load(); bundle != nil && build == jsonBuild {
		return *bundle, nil
	}
	return nil, ErrNoBundle
}

// Fetch is Bundle. FetchMessagePack has nothing to give.
func Fetch() ([]byte, error) { return find(jsonBuild) }

func FetchMessagePack() ([]byte, error) { return find(messagePackBuild) }
