// Package seam delays a server at the places where its race conditions are: at its database
// and at its Socket.IO adapter. Under a fake clock a server does all that a frame causes in
// one instant, so no other frame can arrive between storing a message and emitting it, or
// between restoring a session and adding it to its rooms. A pause there, drawn from a seed,
// lets other frames arrive.
//
// Read [Seams] first. [Open] sets the pauses of a data folder. A server on that folder gets
// them through the driver [Driver] and the options of [At]:
//
//	s := seam.At(dir)
//	sql.Open(seam.Driver, filepath.Join(dir, "chat.db"))
//	socket.NewServer(nil, s.Options())
//
// The package is for testing/synctest bubbles: the pauses are time.Sleep. A fake clock does
// not advance while a goroutine waits for a sync.Mutex. So a server that holds a mutex
// during a call of its database or of Emit, while others wait for the mutex, must not be
// given seams: its run would never end. A lock made of a channel is not affected. Nor may it
// end a transaction's context during a query that has another context: database/sql waits
// for the query with a mutex, and the pause sees the query's context only.
//
// The library has one such mutex: where reading from a WebSocket and writing to it fail at
// the same time, the second waits in a sync.Once for the first, which saves the session. The
// lab reports a run that hangs there.
//
// seam must not know plans, labs or chats. It wraps the SQLite driver of the steps
// (mattn/go-sqlite3, except for WebAssembly) by embedding its connection: there is no
// well-kept library that wraps a database/sql driver and passes everything else through.
package seam

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/internal/splitmix"
)

// Seams are the pauses of one server. The zero value pauses nowhere.
type Seams struct {
	// Seed fixes every pause.
	Seed uint64
	// Longest bounds a pause.
	Longest time.Duration
	// ending is shared by all who were given these seams; nil where Open has no part in it.
	ending *atomic.Bool
}

// End tells that the server is being closed, and with false that the next one begins.
// A server that is being closed saves its sessions without a pause: the library does
// that for one socket after the other, in the order of a Go map, and what happens when
// would be the map's doing.
func (s Seams) End(ending bool) {
	if s.ending != nil {
		s.ending.Store(ending)
	}
}

func (s Seams) isEnding() bool { return s.ending != nil && s.ending.Load() }

// Pause sleeps at a place for up to Longest; every other time for less than a microsecond.
// Not for no time at all: who lets go of a lock and takes it again at one instant races
// with everybody else who wants it at that instant.
func (s Seams) Pause(place string) { s.pauseWhile(context.Background(), place) }

// pauseWhile is Pause, which ends when ctx does.
func (s Seams) pauseWhile(ctx context.Context, place string) {
	if s.Longest <= 0 {
		return
	}
	d := s.Draw(place)
	if d&1 != 0 || d == 0 {
		d = 1 + d%1000
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Draw draws a pause of up to Longest. How long it is depends on the seed, the place
// and the clock's time, and on nothing else: so under a fake clock it is the same
// however goroutines are scheduled.
func (s Seams) Draw(place string) time.Duration {
	if s.Longest <= 0 {
		return 0
	}
	drawn := s.Seed ^ uint64(time.Now().UnixNano())
	for _, letter := range []byte(place) {
		drawn = splitmix.Mix(drawn + uint64(letter))
	}
	return time.Duration(splitmix.Mix(drawn) % uint64(s.Longest+1))
}

// Options are server options with an adapter that pauses.
func (s Seams) Options() *socket.ServerOptions {
	options := socket.DefaultServerOptions()
	if s.Longest > 0 {
		options.SetAdapter(s.Adapter())
	}
	return options
}

// folders says which seams a folder has, for who is given a path only.
var folders struct {
	sync.RWMutex
	seams map[string]Seams
}

// Open gives a folder, and all below it, the seams, until forget is called.
func Open(folder string, s Seams) (forget func()) {
	folders.Lock()
	defer folders.Unlock()
	if folders.seams == nil {
		folders.seams = map[string]Seams{}
	}
	s.ending = new(atomic.Bool)
	folders.seams[folder] = s
	return func() {
		folders.Lock()
		defer folders.Unlock()
		delete(folders.seams, folder)
	}
}

// At returns the seams of the path: those of the nearest folder above it that has
// any, or none.
func At(path string) Seams {
	folders.RLock()
	defer folders.RUnlock()
	for path != "" {
		if s, ok := folders.seams[path]; ok {
			return s
		}
		path = path[:max(0, strings.LastIndexByte(path, '/'))]
	}
	return Seams{}
}
