//go:build !js

package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// clientSHA256 holds the hashes of the client's builds.
var clientSHA256 = map[string]string{
	jsonBuild:        "e135466dffd976ef028000a211a6dfd4dda0f5a91af760f122585131f4ee9936",
	messagePackBuild: "6b70101fcbb8a33e4d1a784f35f0aab2eee0d4fb84a374613019753ba998ce67",
}

// Fetch returns the result of Bundle if the client is there. Otherwise npm fetches the
// pinned client into the user's cache once, with a line on stderr. A program that was copied
// out of the module finds it there. FetchMessagePack does the same for the build that uses
// MessagePack.
var (
	Fetch            = sync.OnceValues(func() ([]byte, error) { return fetch(jsonBuild) })
	FetchMessagePack = sync.OnceValues(func() ([]byte, error) { return fetch(messagePackBuild) })
)

func fetch(build string) ([]byte, error) {
	if bundle, err := find(build); err == nil {
		return bundle, nil
	}
	folder, err := cacheFolder()
	if err != nil {
		return nil, fmt.Errorf("%w (there is no cache folder to fetch it into: %w)", ErrNoBundle, err)
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, errors.New("the Socket.IO client is not here and npm, which fetches it, is missing: install Node.js 20 or later with npm")
	}
	fmt.Fprintf(os.Stderr, "fetching socket.io-client %s with npm into %s, once\n", ClientVersion, folder)
	return fetchInto(npm, folder, build)
}

// fetchInto fetches into a temporary folder and then moves the result, so that two programs
// that fetch at the same time never see a partial download.
func fetchInto(npm, folder, build string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return nil, err
	}
	beside, err := os.MkdirTemp(filepath.Dir(folder), "fetching-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(beside)
	install := exec.Command(npm, "install", "--prefix", beside, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund",
		"--loglevel=error", "socket.io-client@"+ClientVersion)
	if output, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("npm could not fetch socket.io-client %s: %w: %.300s", ClientVersion, err, output)
	}
	bundle, err := os.ReadFile(filepath.Join(beside, inFolder(build)))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(bundle); hex.EncodeToString(sum[:]) != clientSHA256[build] {
		return nil, fmt.Errorf("npm fetched another socket.io-client %s than the pinned one: its SHA-256 is %x", ClientVersion, sum)
	}
	if err := os.Rename(beside, folder); err != nil && !exists(filepath.Join(folder, inFolder(build))) {
		return nil, err
	}
	return bundle, nil
}

// inFolder returns the path of a build of the client library below npm's folder.
func inFolder(build string) string {
	return filepath.Join("node_modules", "socket.io-client", "dist", build)
}

func find(build string) ([]byte, error) {
	folders := stepsFolders()
	if cache, err := cacheFolder(); err == nil {
		folders = append(folders, cache)
	}
	for _, folder := range folders {
		if bundle, err := os.ReadFile(filepath.Join(folder, inFolder(build))); err == nil {
			return bundle, nil
		}
	}
	return nil, ErrNoBundle
}

// stepsFolders lists where the module's folder steps may be: in the working folder or in one
// of its parents.
func stepsFolders() (folders []string) {
	folder, err := os.Getwd()
	if err != nil {
		return nil
	}
	for parent := filepath.Dir(folder); parent != folder; folder, parent = parent, filepath.Dir(parent) {
		folders = append(folders, filepath.Join(folder, "steps"))
	}
	return folders
}

// cacheFolder returns the folder in which Fetch stores the client.
func cacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "redial", "socket.io-client-"+ClientVersion), err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
