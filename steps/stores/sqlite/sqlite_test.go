package sqlite

import (
	"sync"
	"testing"
	"time"
)

// SQLite tells one of two servers that create the database together that it is locked, however
// long a writer may wait.
func TestSeveralServersMayCreateTheDatabaseTogether(t *testing.T) {
	for range 50 {
		folder := t.TempDir()
		var servers sync.WaitGroup
		for range 4 {
			servers.Go(func() {
				db, err := Open("", folder, 100*time.Millisecond)
				if err != nil {
					t.Error(err)
					return
				}
				_ = db.Close()
			})
		}
		servers.Wait()
	}
}
