package web

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

// shims are the scripts in js/.
//
//go:embed js/*.js
var shims embed.FS

// programsKept bounds the cache. A target has a handful of scripts.
const programsKept = 64

// programs holds compiled scripts by name and content. A program is immutable and
// may run in any number of VMs at once, so thousands of pages compile the client
// bundle (150 kB) once.
var programs = struct {
	sync.Mutex
	byHash map[[sha256.Size]byte]*goja.Program
}{byHash: map[[sha256.Size]byte]*goja.Program{}}

// Compile compiles a script, or finds it in the cache. The name is that of the script in errors.
func Compile(name string, source []byte) (*goja.Program, error) {
	digest := sha256.New()
	digest.Write([]byte(name + "\x00"))
	digest.Write(source)
	hash := [sha256.Size]byte(digest.Sum(nil))
	programs.Lock()
	defer programs.Unlock()
	if program := programs.byHash[hash]; program != nil {
		return program, nil
	}
	if err := nesting(string(source), false); err != nil {
		return nil, fmt.Errorf("%s is %w", name, err)
	}
	// Without the option the parser would look for the bundle's source map on disk.
	tree, err := goja.Parse(name, string(source), parser.WithDisableSourceMaps)
	if err != nil {
		return nil, err
	}
	program, err := goja.CompileAST(tree, false)
	if err != nil {
		return nil, err
	}
	for old := range programs.byHash {
		if len(programs.byHash) < programsKept {
			break
		}
		delete(programs.byHash, old)
	}
	programs.byHash[hash] = program
	return program, nil
}
