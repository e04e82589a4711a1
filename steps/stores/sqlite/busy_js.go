package sqlite

import (
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
	_ "github.com/ncruces/go-sqlite3/vfs/mvcc"
)

// busyVFS is mvcc without its wait for another connection's lock, which never ends on a fake
// clock: it lasts until more than a millisecond has passed, and is woken once, after exactly a
// millisecond. Instead SQLite gets the error "busy", and retries until its busy_timeout ends.
const busyVFS = "mvcc-busy"

func init() { vfs.Register(busyVFS, busyFiles{vfs.Find("mvcc")}) }

// busyPause is the pause between two attempts to lock a file.
const busyPause = 20 * time.Millisecond

type busyFiles struct{ vfs.VFS }

func (v busyFiles) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := v.VFS.Open(name, flags)
	if inner, ok := file.(mvccFile); ok {
		file = &busyFile{mvccFile: inner}
	}
	return file, flags, err
}

// mvccFile has the methods of a file of mvcc.
type mvccFile interface {
	vfs.FileLockState
	vfs.FileCommitPhaseTwo
	vfs.FilePragma
}

type busyFile struct {
	mvccFile
	// writes is true in a transaction that begins as a writer. It takes no snapshot before
	// it has the lock.
	writes bool
	owns   bool // the lock
}

func (f *busyFile) Pragma(name, value string) (string, error) {
	if name == "experimental_pragma_20251114" { // SQLite sends it for BEGIN IMMEDIATE
		f.writes = true
	}
	return f.mvccFile.Pragma(name, value)
}

func (f *busyFile) Lock(lock vfs.LockLevel) error {
	if lock < vfs.LOCK_RESERVED && !f.writes {
		return f.mvccFile.Lock(lock)
	}
	if taken, _ := f.CheckReservedLock(); taken && !f.owns {
		time.Sleep(busyPause)
		return sqlite3.BUSY
	}
	err := f.mvccFile.Lock(lock)
	f.owns = f.owns || err == nil
	return err
}

func (f *busyFile) Unlock(lock vfs.LockLevel) error {
	f.writes, f.owns = false, false
	return f.mvccFile.Unlock(lock)
}
