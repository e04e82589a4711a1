package lab

import (
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

// startTime is the virtual time that a server takes to start. Meanwhile connections are
// refused.
const startTime = 100 * time.Millisecond

// instant is the shortest virtual time. A goroutine that sleeps for it waits until every other
// goroutine of the bubble waits for time to pass, as synctest.Wait does, which however only
// one goroutine may call at a time.
const instant = time.Nanosecond

// A handlerTarget is a target.Target around a handler in this process. Each server process,
// from a start to its end, is a life: it begins with a copy of the folder of the life before.
// So a killed server is fenced off although its goroutines continue for a while: no later life
// reads their writes, and the network has closed their connections.
type handlerTarget struct {
	server Handler
	memory *network.Memory
	folder *dataFolder
	output *target.BoundedOutput
	exited chan struct{} // never closed: a handler cannot exit by itself

	bubbleLock
	current *life // nil while the server is down
	// lives are the handlers and closers of all lives, for the function keep.
	lives []any
	// ending counts the lives that were ended and whose goroutines still run.
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
	return &handlerTarget{
		server: server, memory: memory, folder: folder, output: target.NewBoundedOutput(64 << 10),
		exited: make(chan struct{}), bubbleLock: newBubbleLock(),
	}
}

func (t *handlerTarget) String() string          { return "a handler in this process" }
func (t *handlerTarget) Address() string         { return network.ServerAddress }
func (t *handlerTarget) Exited() <-chan struct{} { return t.exited }
func (t *handlerTarget) Output() string          { return t.output.String() }

// Pause and Continue are unsupported, because the server shares its process with the clients.
func (t *handlerTarget) Pause() error    { return target.ErrUnsupported }
func (t *handlerTarget) Continue() error { return target.ErrUnsupported }

func (t *handlerTarget) Nodes() []string                       { return []string{everyServer} }
func (t *handlerTarget) NodeAddress(string) string             { return t.Address() }
func (t *handlerTarget) Part(name string) (target.Part, error) { return target.OnlyPart(t, name) }

// DataDir returns the folder of the running server, or of the next one.
func (t *handlerTarget) DataDir() string {
	defer t.lock()()
	if t.current == nil {
		return t.folder.path(t.folder.lives + 1)
	}
	return t.folder.path(t.folder.lives)
}

// ReplaceData empties the data folder. The server must be down.
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
	l.http = &http.Server{Handler: handler, ErrorLog: log.New(t.output, "", 0)}
	go func() {
		defer close(l.served)
		_ = l.http.Serve(l.listener)
	}()
	t.current = l
	return nil
}

// Stop does what a server's main function does on SIGTERM: it stops listening, closes the
// plain HTTP connections, and closes the server.
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

// Kill ends the server after the current instant. Uncommitted data is lost.
func (t *handlerTarget) Kill() error {
	defer t.lock()()
	if t.current == nil {
		return nil
	}
	return t.end(t.current.closer)
}

// end ends the current life with a copy of its data. The caller holds the lock.
func (t *handlerTarget) end(closer io.Closer) error {
	time.Sleep(instant)
	err := t.folder.freeze()
	t.current.listener.Vanish()
	t.retire(closer)
	if err != nil {
		return fmt.Errorf("the server's data could not be copied: %w", err)
	}
	return nil
}

// retire ends the goroutines of the current life in the background, where closer is closed too,
// if it is not nil.
func (t *handlerTarget) retire(closer io.Closer) {
	l := t.current
	t.current = nil
	t.ending.Go(func() {
		if closer != nil {
			_ = closer.Close()
		}
		_ = l.http.Close()
		<-l.served
		l.listener.CloseAll()
	})
}

// Close ends the server without copying its data and waits until its goroutines have ended.
func (t *handlerTarget) Close() error {
	defer t.lock()()
	if t.current != nil {
		seam.At(t.folder.path(t.folder.lives)).End(true)
		t.retire(t.current.closer)
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

// kept refers to the servers that must never be garbage-collected, and a run of one of them
// holds onLibraryRecovery: see Config.OwnRecovery. Both are the package's only state, and kept
// only ever grows.
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
