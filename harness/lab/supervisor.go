package lab

import "sync"

// A bubbleLock is a lock that a goroutine may hold while virtual time passes, as a start or an
// end needs. It is a channel, because virtual time does not pass while a goroutine waits for a
// sync.Mutex.
type bubbleLock chan struct{}

func newBubbleLock() bubbleLock { return make(bubbleLock, 1) }

func (l bubbleLock) lock() (unlock func()) {
	l <- struct{}{}
	return func() { <-l }
}

// A supervisor starts and ends one server, for the script and for the faults. The script ends
// the server and keeps it down until the script starts it; a fault ends the server and starts
// it again at once. The supervisor serialises the two, so that a fault never starts a server
// that the script keeps down or that already runs.
type supervisor struct {
	bubbleLock

	mu sync.Mutex
	// up is true from when a start begins until an end does.
	up bool
	// keptDown is true while the script keeps the server down.
	keptDown bool
}

func newSupervisor() *supervisor { return &supervisor{bubbleLock: newBubbleLock()} }

func (s *supervisor) set(up, keptDown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up, s.keptDown = up, keptDown
}

func (s *supervisor) state() (up, keptDown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up, s.keptDown
}

// end ends the server for the script: a fault must not start it from now on.
func (s *supervisor) end(end func() error) error {
	defer s.lock()()
	s.set(false, true)
	return end()
}

// start starts the server for the script. If the server runs already, the function start
// returns an error.
func (s *supervisor) start(start func() error) error {
	defer s.lock()()
	return s.startLocked(start)
}

func (s *supervisor) startLocked(start func() error) error {
	before, keptDown := s.state()
	s.set(true, false)
	err := start()
	if err != nil {
		s.set(before, keptDown)
	}
	return err
}

// interrupt ends the server for a fault. If the server is down already, interrupt does nothing
// and returns false. If the server is starting, it may already have answered a client, so
// interrupt waits for the start and then ends the server.
func (s *supervisor) interrupt(end func() error) (ended bool, err error) {
	if up, _ := s.state(); !up {
		return false, nil
	}
	defer s.lock()()
	if up, _ := s.state(); !up {
		return false, nil
	}
	s.set(false, false)
	return true, end()
}

// resume starts the server after interrupt, unless the script keeps it down or has started it
// meanwhile.
func (s *supervisor) resume(start func() error) error {
	defer s.lock()()
	if up, keptDown := s.state(); up || keptDown {
		return nil
	}
	return s.startLocked(start)
}
