package peers

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"redial/harness/client"
	"redial/harness/client/process"
	"redial/harness/contract"
	"redial/scenarios/peers/goclient"
)

// A Client is a third-party Socket.IO client that replaces the kit's pages. The zero value
// is the official client in a page.
type Client struct {
	// Name is its name on the command line.
	Name string
	// New makes a client. Nil means the official client.
	New func(options client.Options, level contract.Level) client.Client
}

// clients maps the names of the third-party clients to the commands that start them.
var clients = map[string]func() ([]string, error){
	"python": func() ([]string, error) { return pythonClient() },
	"go": func() ([]string, error) {
		itself, err := os.Executable()
		return []string{itself, goclient.Argument}, err
	},
}

// Official is the name of the official client.
const Official = "official"

// ClientNames lists the names that FindClient accepts.
var ClientNames = []string{Official, "python", "go"}

// FindClient returns the client with the name. The error names a missing dependency.
func FindClient(name string) (Client, error) {
	if name == Official || name == "" {
		return Client{}, nil
	}
	find := clients[name]
	if find == nil {
		return Client{}, fmt.Errorf("there is no client %q; there are %s", name, strings.Join(ClientNames, ", "))
	}
	command, err := find()
	if err != nil {
		return Client{}, fmt.Errorf("the client %s: %w", name, err)
	}
	return clientOf(name, command), nil
}

func clientOf(name string, command []string) Client {
	return Client{Name: name, New: func(options client.Options, level contract.Level) client.Client {
		return process.New(options, process.Program{Command: command, Level: level})
	}}
}

// pythonSource is embedded, so that the client needs no file at run time.
//
//go:embed python/client.py
var pythonSource string

func pythonClient(flags ...string) ([]string, error) {
	python, err := PythonWithSocketIO()
	return slices.Concat([]string{python, "-c", pythonSource}, flags), err
}

// PythonWithSocketIO finds a Python that has the packages. Debian installs them for its own
// Python, which need not be the first on the PATH.
func PythonWithSocketIO() (string, error) {
	for _, program := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(program, "-c", "import socketio, aiohttp").Run() == nil {
			return program, nil
		}
	}
	return "", errors.New("no Python 3 here has socketio and aiohttp: run make peer-tools, or install the packages python3-socketio and python3-aiohttp")
}
