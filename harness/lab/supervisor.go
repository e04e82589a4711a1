package lab

import "sync"

// A bubbleLock is held by whoever starts or ends something. It is a channel and no
// mutex, because starting and ending take virtual time, which does not pass while a
// goroutine waits for a mutex.
type bubbleLock chan struct{}

func newBubbleLock() bubbleLock { return make(bubbleLock, 1) }

func (l bubbleLock) lock() (unlock func()) {
	l <- struct{}{}
	return func() { <-l }
}

// A supervisor starts and ends one server, for the script and for the faults. The
// script ends the server and keeps it down until it starts it; a fault ends it and
// starts it again at once. What they want at the same time is put in order here, so
// that a fault never starts what the script keeps down, nor what runs already.
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

// end is the script's: the server is down from now on.
func (s *supervisor) end(end func() error) error {
	defer s.lock()()
	s.set(false, true)
	return end()
}

// start is the script's. What runs already, start refuses.
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

// interrupt is a fault's. It returns false, and does nothing, where the server is
// down already. Where it is being started, and may have answered a client although
// start does not know it yet, it is ended when start is done.
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

// resume is a fault's, after interrupt: it starts the server unless the script keeps
// it down or has started it meanwhile.
func (s *supervisor) resume(start func() error) error {
	defer s.lock()()
	if up, keptDown := s.state(); up || keptDown {
		return nil
	}
	return s.startLocked(start)
}
