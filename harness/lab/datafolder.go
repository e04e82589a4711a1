//go:build !js

package lab

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"redial/harness/target"
)

// A dataFolder holds a folder for each process of a server.
type dataFolder struct {
	root  string
	lives int
}

// memoryDisk is where Linux keeps files in memory. A database calls fsync for each commit,
// which costs nothing there.
const memoryDisk = "/dev/shm"

func newDataFolder() (*dataFolder, error) {
	root, err := os.MkdirTemp(memoryDisk, "redial-")
	if err != nil {
		root, err = os.MkdirTemp("", "redial-")
	}
	return &dataFolder{root: root}, err
}

func (f *dataFolder) path(life int) string { return filepath.Join(f.root, strconv.Itoa(life)) }

// next returns the folder of the next server process. It is empty for the first one.
func (f *dataFolder) next() (string, error) {
	f.lives++
	return f.path(f.lives), os.MkdirAll(f.path(f.lives), 0o755)
}

// freeze copies the folder of the current server process for the next one.
func (f *dataFolder) freeze() error {
	return os.CopyFS(f.path(f.lives+1), os.DirFS(f.path(f.lives)))
}

func (f *dataFolder) empty(folder string) error { return target.Empty(folder) }

func (f *dataFolder) remove() { _ = os.RemoveAll(f.root) }

// databases lists the SQLite files in a folder, which it recognises by their first bytes.
func databases(folder string) (files []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		file, err := os.Open(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		magic := make([]byte, 16)
		n, _ := io.ReadFull(file, magic)
		_ = file.Close()
		if bytes.Equal(magic[:n], []byte("SQLite format 3\x00")) {
			files = append(files, file.Name())
		}
	}
	return files, nil
}
