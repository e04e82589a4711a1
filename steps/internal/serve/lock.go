package serve

// A Lock is held by one goroutine at a time, like a sync.Mutex. A goroutine that waits
// for it waits on a channel. A fake clock (testing/synctest) advances only while all
// goroutines wait, and it does not count a wait for a mutex. Make a Lock with NewLock.
type Lock chan struct{}

// NewLock makes a lock that is free.
func NewLock() Lock { return make(Lock, 1) }

// Lock waits until the lock is free, and takes it.
func (l Lock) Lock() { l <- struct{}{} }

// Unlock releases the lock.
func (l Lock) Unlock() { <-l }
