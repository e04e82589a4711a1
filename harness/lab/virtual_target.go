package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"redial/harness/network"
	"redial/harness/seam"
	"redial/harness/target"
)

// startTime is how long a server takes to come up, in virtual time. Meanwhile
// connections are refused.
const startTime = 100 * time.Millisecond

// instant is the least time there is. To sleep for it in a bubble is to wait until
// everybody else waits for time to pass, as synctest.Wait does; but any number of
// goroutines may do it at once.
const instant = time.Nanosecond

// handlerTarget is a target.Target around a handler in this process. Its server
// has lives: each begins with a copy of the folder that the one before has left.
// So a server that was killed is fenced off, though its goroutines go on for a
// while: nobody will read what they write any more, and the network has closed
// their connections.
type handlerTarget struct {
	server Handler
	memory *network.Memory
	folder *dataFolder
	output output
	exited chan struct{} // never closed: a handler cannot exit by itself

	bubbleLock
	current *life // nil while the server is down
	// lives are the handler and the closer of every life.
	lives []any
	// ending counts the lives that are over and not yet gone.
	ending sync.WaitGroup
}

// A life is the server from a start to its end.
type life struct {
	closer   io.Closer
	listener *network.Listener
	http     *http.Server
	served   chan struct{} // closed when http.Server.Serve has returned
}

func newHandlerTarget(server Handler, memory *network.Memory, folder *dataFolder) *handlerTarget {
	return &handlerTarget{server: server, memory: memory, folder: folder, exited: make(chan struct{}), bubbleLock: newBubbleLock()}
}

func (t *handlerTarget) String() string          { return "a handler in this process" }
func (t *handlerTarget) Address() string         { return network.ServerAddress }
func (t *handlerTarget) CanRestart() bool        { return true }
func (t *handlerTarget) Exited() <-chan struct{} { return t.exited }
func (t *handlerTarget) Output() string          { return t.output.String() }

// Pause and Continue are not for a server that shares its process with the clients.
func (t *handlerTarget) Pause() error    { return target.ErrUnsupported }
func (t *handlerTarget) Continue() error { return target.ErrUnsupported }

func (t *handlerTarget) Nodes() []string                       { return []string{everyServer} }
func (t *handlerTarget) NodeAddress(string) string             { return t.Address() }
func (t *handlerTarget) Part(name string) (target.Part, error) { return target.OnlyPart(t, name) }

// DataDir is the folder of the server that runs, or of the next one.
func (t *handlerTarget) DataDir() string {
	defer t.lock()()
	if t.current == nil {
		return t.folder.path(t.folder.lives + 1)
	}
	return t.folder.path(t.folder.lives)
}

// ReplaceData empties it. The server must be down.
func (t *handlerTarget) ReplaceData() error { return t.folder.empty(t.DataDir()) }

func (t *handlerTarget) Start(context.Context) error {
	defer t.lock()()
	if t.current != nil {
		return errors.New("the server is running already")
	}
	dir, err := t.folder.next()
	if err != nil {
		return fmt.Errorf("the server's data could not be copied: %w", err)
	}
	seam.At(dir).End(false)
	time.Sleep(startTime)
	handler, closer, err := t.server(dir)
	if err != nil {
		return err
	}
	t.lives = append(t.lives, handler, closer)
	l := &life{closer: closer, listener: t.memory.Listen(), served: make(chan struct{})}
	l.http = &http.Server{Handler: handler, ErrorLog: log.New(&t.output, "", 0)}
	go func() {
		defer close(l.served)
		_ = l.http.Serve(l.listener)
	}()
	t.current = l
	return nil
}

// Stop does what a server's main function does on SIGTERM: it stops listening,
// drops the connections that are plain HTTP, closes the server, and is gone.
func (t *handlerTarget) Stop(ctx context.Context) error {
	defer t.lock()()
	l := t.current
	if l == nil {
		return nil
	}
	seam.At(t.folder.path(t.folder.lives)).End(true)
	_ = l.http.Close()
	closed := make(chan error, 1)
	go func() { closed <- l.closer.Close() }()
	var err error
	select {
	case err = <-closed:
	case <-ctx.Done():
		err = fmt.Errorf("the server did not close within the bound: %w", context.Cause(ctx))
	}
	return errors.Join(err, t.end(nil))
}

// Kill ends the server at once: what it was doing at this very instant is done,
// and then there is no server. What it has not committed is gone.
func (t *handlerTarget) Kill() error {
	defer t.lock()()
	if t.current == nil {
		return nil
	}
	return t.end(t.current.closer)
}

// end is the end of a life. What is left of it ends in the background, and closer,
// if any, is closed there. The caller has the lock.
func (t *handlerTarget) end(closer io.Closer) error {
	time.Sleep(instant)
	err := t.folder.freeze()
	l := t.current
	t.current = nil
	l.listener.Vanish()
	t.ending.Go(func() {
		if closer != nil {
			_ = closer.Close()
		}
		_ = l.http.Close()
		<-l.served
		l.listener.CloseAll()
	})
	if err != nil {
		return fmt.Errorf("the server's data could not be copied: %w", err)
	}
	return nil
}

// Close ends the server without keeping its data and waits until it is gone.
func (t *handlerTarget) Close() error {
	defer t.lock()()
	if l := t.current; l != nil {
		seam.At(t.folder.path(t.folder.lives)).End(true)
		t.current = nil
		t.ending.Go(func() {
			_ = l.closer.Close()
			_ = l.http.Close()
			<-l.served
			l.listener.CloseAll()
		})
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		t.ending.Wait()
	}()
	bound := time.NewTimer(VirtualBound)
	defer bound.Stop()
	select {
	case <-gone:
		return nil
	case <-bound.C:
		return fmt.Errorf("the server's Close did not return within %s", VirtualBound)
	}
}

// kept are the servers that must never be collected, and onLibraryRecovery is held by
// the run of one of them: see Config.OwnRecovery. Both are the package's only state,
// and kept only ever grows.
var (
	kept struct {
		sync.Mutex
		list []any
	}
	onLibraryRecovery sync.Mutex
)

func keep(things ...any) {
	kept.Lock()
	defer kept.Unlock()
	kept.list = append(kept.list, things...)
}

// output keeps the first part of what is written to it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const maxOutput = 64 << 10

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(data[:min(len(data), maxOutput-o.text.Len())])
	return len(data), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
