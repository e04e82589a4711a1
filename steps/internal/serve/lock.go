package serve

// A Lock is held by one goroutine at a time, like a sync.Mutex. Who waits for it waits
// on a channel: so a fake clock (testing/synctest) can tell waiting from working, and
// time passes while a slow database is waited for. Make one with NewLock.
type Lock chan struct{}

// NewLock makes a lock that nobody holds.
func NewLock() Lock { return make(Lock, 1) }

// Lock waits until nobody holds the lock, and takes it.
func (l Lock) Lock() { l <- struct{}{} }

// Unlock gives it back.
func (l Lock) Unlock() { <-l }
