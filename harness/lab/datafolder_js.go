package lab

import (
	"fmt"
	"sync/atomic"

	"redial/harness/target"
	"redial/steps/stores/sqlite"
)

// A dataFolder holds a folder for each life of a server. In WebAssembly it is a part of a
// name: the databases are in memory, and a browser has no file system. Nor must a run
// wait for one where there is: what waits for JavaScript lets virtual time pass.
type dataFolder struct {
	root  string
	lives int
}

var folders atomic.Int64

func newDataFolder() (*dataFolder, error) {
	return &dataFolder{root: fmt.Sprintf("/redial-%d", folders.Add(1))}, nil
}

func (f *dataFolder) path(life int) string { return fmt.Sprintf("%s/%d", f.root, life) }

// next is the folder for the next life: empty for the first.
func (f *dataFolder) next() (string, error) {
	f.lives++
	return f.path(f.lives), nil
}

// freeze copies the current life's folder for the next one.
func (f *dataFolder) freeze() error {
	sqlite.Copy(f.path(f.lives), f.path(f.lives+1))
	return nil
}

// empty empties a life's folder.
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
