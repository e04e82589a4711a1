package lab

import (
	"fmt"
	"sync/atomic"

	"redial/harness/target"
	"redial/steps/stores/sqlite"
)

// A dataFolder holds a folder for each process of a server. In WebAssembly it is only the
// prefix of a name: a browser has no file system, so the databases are in memory. A run must
// not wait for a file system that the JavaScript host may offer, because virtual time passes
// while Go waits for JavaScript.
type dataFolder struct {
	root  string
	lives int
}

var folders atomic.Int64

func newDataFolder() (*dataFolder, error) {
	return &dataFolder{root: fmt.Sprintf("/redial-%d", folders.Add(1))}, nil
}

func (f *dataFolder) path(life int) string { return fmt.Sprintf("%s/%d", f.root, life) }

// next returns the folder of the next server process. It is empty for the first one.
func (f *dataFolder) next() (string, error) {
	f.lives++
	return f.path(f.lives), nil
}

// freeze copies the folder of the current server process for the next one.
func (f *dataFolder) freeze() error {
	sqlite.Copy(f.path(f.lives), f.path(f.lives+1))
	return nil
}

func (f *dataFolder) empty(folder string) error {
	if len(sqlite.Files(folder)) == 0 {
		return target.ErrNoData
	}
	sqlite.Remove(folder)
	return nil
}

func (f *dataFolder) remove() { sqlite.Remove(f.root) }

// databases lists the SQLite files in a folder.
func databases(folder string) ([]string, error) { return sqlite.Files(folder), nil }
