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
	// ending is shared by all copies of the Seams that Open registered; nil in any other.
	ending *atomic.Bool
}

// End marks the beginning of the server's shutdown; with false, that of the next server. During
// a shutdown, sessions are saved without a pause. The library saves them one after the
// other in the order of a Go map, so with pauses the times would differ from run to run.
func (s Seams) End(ending bool) {
	if s.ending != nil {
		s.ending.Store(ending)
	}
}

func (s Seams) isEnding() bool { return s.ending != nil && s.ending.Load() }

// Pause sleeps at a place for up to Longest, and in half of the cases for less than a
// microsecond. It never returns without sleeping: a goroutine that releases a lock and takes
// it again at the same instant of a fake clock would race with the goroutines that wait for it.
func (s Seams) Pause(place string) { s.pauseWhile(context.Background(), place) }

// pauseWhile is Pause, but also returns when ctx ends.
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

// Draw draws a pause of up to Longest. It depends only on the seed, the place and the time, so
// under a fake clock it is the same however goroutines are scheduled.
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

// folders has the seams of each folder, for the database driver, which knows only a path.
var folders struct {
	sync.RWMutex
	seams map[string]Seams
}

// Open sets the seams of a folder and of everything below it, until forget is called.
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

// At returns the seams of the nearest folder at or above the path that has any, or else Seams
// that pause nowhere.
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
