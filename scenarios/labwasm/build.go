// Package labwasm builds the virtual lab as WebAssembly, beside its page, and plays on it
// in Node.js.
//
// Read [Build] first, then [Start] and [Node.PlayExactly]. The program is
// scenarios/cmd/labwasm; it calls package labpage, whose static files load it (wasm.js) and
// run it in a worker (worker.js).
//
// labwasm judges nothing, and must not start a server as a process.
package labwasm

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"redial/scenarios/labpage"
	"redial/steps/lessons"
)

// The file names for which wasm.js and worker.js ask.
const (
	programFile = "lab.wasm.gz"
	runtimeFile = "wasm_exec.js"
	clientFile  = "socket.io.js"
	styleFile   = "drawing.css"
)

// Sizes holds the sizes of the program in bytes, as built and compressed.
type Sizes struct{ Program, Packed int64 }

// Build fills the folder with the lab page and all files that it needs in a browser; any
// static file server can serve it. level is the compression level of gzip.
func Build(ctx context.Context, folder string, level int) (Sizes, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return Sizes{}, err
	}
	client, err := lessons.FetchBundle()
	if err != nil {
		return Sizes{}, err
	}
	root, err := goTool(ctx, "env", "GOROOT")
	if err != nil {
		return Sizes{}, err
	}
	runtime, err := os.ReadFile(filepath.Join(strings.TrimSpace(root), "lib", "wasm", runtimeFile))
	if err != nil {
		return Sizes{}, fmt.Errorf("this installation of Go lacks what starts a WebAssembly program: %w", err)
	}
	if err := copyStatic(folder); err != nil {
		return Sizes{}, err
	}
	for name, text := range map[string][]byte{runtimeFile: runtime, clientFile: client, styleFile: []byte(labpage.DrawingStyle)} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return Sizes{}, err
		}
	}
	return program(ctx, filepath.Join(folder, programFile), level)
}

// copyStatic copies the page's own files, and replaces those of an earlier build.
func copyStatic(folder string) error {
	static := labpage.Static()
	return fs.WalkDir(static, ".", func(name string, entry fs.DirEntry, err error) error {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err != nil || entry.IsDir() {
			return errors.Join(err, os.MkdirAll(path, 0o755))
		}
		text, err := fs.ReadFile(static, name)
		if err != nil {
			return err
		}
		return os.WriteFile(path, text, 0o644)
	})
}

// buildFlags leave out symbols, which are not needed, and the paths of the build machine.
// Functions are inlined only in the packages in which a run spends its time: the JavaScript
// VM, SQLite and the runtime. The program is as fast as with all inlining, and a tenth
// smaller. HTTP/2 is left out because the lab does not use it.
var buildFlags = []string{
	"build", "-trimpath", "-tags=nethttpomithttp2", "-ldflags=-s -w", "-gcflags=all=-l", "-gcflags=github.com/dop251/...=", "-gcflags=github.com/ncruces/...=",
	"-gcflags=runtime/...=", "-gcflags=internal/...=",
}

// program builds the program and compresses it.
func program(ctx context.Context, file string, level int) (sizes Sizes, err error) {
	temporary, err := os.MkdirTemp("", "redial-lab-wasm-")
	if err != nil {
		return sizes, err
	}
	defer os.RemoveAll(temporary)
	built := filepath.Join(temporary, "lab.wasm")
	if _, err := goTool(ctx, append(buildFlags, "-o", built, "redial/scenarios/cmd/labwasm")...); err != nil {
		return sizes, err
	}
	from, err := os.Open(built)
	if err != nil {
		return sizes, err
	}
	defer from.Close()
	to, err := os.Create(file)
	if err != nil {
		return sizes, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	packer, err := gzip.NewWriterLevel(to, level)
	if err != nil {
		return sizes, err
	}
	if sizes.Program, err = io.Copy(packer, from); err != nil {
		return sizes, err
	}
	if err := packer.Close(); err != nil {
		return sizes, err
	}
	sizes.Packed, err = to.Seek(0, io.SeekCurrent)
	return sizes, err
}

// goTool runs the go command for WebAssembly, and returns its output.
func goTool(ctx context.Context, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOFLAGS=")
	output, err := command.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("%w: %.500s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("go %s (in the folder of Redial's source): %w", arguments[0], err)
	}
	return string(output), nil
}
