package paths

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"redial/harness/guard"
)

// prefix begins the names of what this package makes.
const prefix = "redial-"

// slots are how many namespaces there can be on one machine. Each has the network
// 198.18.SLOT.0/24, out of the block that is set aside for measuring (RFC 2544).
const slots = 256

// fresh is how many addresses a path has inside. It takes another one each time it comes
// up, as a carrier gives out another one: a connection that was left stays dead.
const fresh = 60

// cleanUp ends what runs in the namespace and removes it. The paths go with it.
const cleanUp = `ip netns pids "$1" | xargs -r kill -KILL
ip netns del "$1"`

// A Namespace is a network namespace with two paths to this machine. One of them is up.
//
// It is made by calling ip, not with a netlink library: ip does each change in one batch,
// starts programs in the namespace, and needs no thread that is moved into it.
type Namespace struct {
	name  string
	slot  int
	guard *guard.Guard

	mu     sync.Mutex
	active int
	ups    int // how often the network has changed
	closed bool
}

// names are the paths, as they are called inside.
var names = [2]string{"wifi", "4g"}

var (
	sweep sync.Once
	made  atomic.Int64
)

// Available returns nil where a Namespace can be made, or else why not.
func Available() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: this is not root", ErrUnavailable)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("%w: there is no command ip", ErrUnavailable)
	}
	return nil
}

// New makes a namespace with the path "wifi" up. Close removes it; so does a guard where
// this process is killed, and the next process that makes one, should the guard be killed
// too.
func New() (*Namespace, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	sweep.Do(removeStale)
	n := &Namespace{name: fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), made.Add(1))}
	var err error
	if n.guard, err = guard.New("while read -r line; do :; done\n"+cleanUp, n.name); err != nil {
		return nil, fmt.Errorf("the guard that removes a network namespace after a crash cannot be started: %w", err)
	}
	if err := n.make(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), n.Close())
	}
	return n, nil
}

// removeStale removes the namespaces of processes that are gone.
func removeStale() {
	found, _ := filepath.Glob("/run/netns/" + prefix + "*")
	for _, file := range found {
		var pid, number int
		name := filepath.Base(file)
		if _, err := fmt.Sscanf(name, prefix+"%d-%d", &pid, &number); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = exec.Command("/bin/sh", "-c", cleanUp, "sh", name).Run() // another process may be at it too
		}
	}
}

func (n *Namespace) make() error {
	if _, err := ip("", "netns", "add", n.name); err != nil {
		return err
	}
	for {
		output, err := ip("", "link", "add", n.outside(0), "type", "veth", "peer", "name", names[0], "netns", n.name)
		if err == nil {
			break
		}
		if n.slot++; n.slot == slots || !strings.Contains(output, "exists") {
			return err
		}
	}
	outside := []string{fmt.Sprintf("link add %s type veth peer name %s netns %s", n.outside(1), names[1], n.name)}
	inside := []string{"link set lo up"}
	for path := range names {
		device := n.outside(path)
		// Without addrgenmode an IPv6 address follows a second after the link, and a browser
		// would see the network change twice.
		outside = append(outside, "link set "+device+" addrgenmode none",
			"addr add "+n.gateway(path)+"/26 dev "+device, "link set "+device+" up")
		inside = append(inside, "link set "+names[path]+" addrgenmode none")
	}
	outside = append(outside, "addr add "+n.Address()+"/32 dev "+n.outside(0))
	if err := batch("", outside); err != nil {
		return err
	}
	if err := batch(n.name, inside); err != nil {
		return err
	}
	for path := range names { // drops what comes over a path from the other one's address
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+n.outside(path)+"/rp_filter", []byte("1"), 0); err != nil {
			return err
		}
	}
	return n.change(n.up())
}

// outside is the host's end of a path.
func (n *Namespace) outside(path int) string {
	return fmt.Sprintf("%s%d-%s", prefix, n.slot, names[path])
}

func (n *Namespace) gateway(path int) string { return n.address(64*path + 1) }

func (n *Namespace) address(host int) string { return fmt.Sprintf("198.18.%d.%d", n.slot, host) }

// Address is where the host is reached from inside, over whichever path is up.
func (n *Namespace) Address() string { return n.address(129) }

// Source is where connections come from now.
func (n *Namespace) Source() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.source(n.active, n.ups)
}

// Next is what the next Switch leads to: the name of the path, and the source address.
func (n *Namespace) Next() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return names[1-n.active] + ", " + n.source(1-n.active, n.ups+1)
}

func (n *Namespace) source(path, ups int) string { return n.address(64*path + 2 + ups%fresh) }

// Command is what a program is started with to run inside.
func (n *Namespace) Command() []string { return []string{"ip", "netns", "exec", n.name} }

// Switch leaves the path that is up for the other one, and returns when that is up.
func (n *Namespace) Switch(how How) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := names[n.active]
	n.active = 1 - n.active
	n.ups++
	switch how {
	case Lost:
		if err := n.change([]string{"link set " + old + " down", "addr flush dev " + old}); err != nil {
			return err
		}
		time.Sleep(offline)
		return n.change(n.up())
	case Renumbered:
		return n.change(append(n.up(), "addr flush dev "+old))
	}
	return n.change(n.up())
}

// up brings the active path up, with a new address.
func (n *Namespace) up() []string {
	device := names[n.active]
	return []string{
		"addr flush dev " + device, "addr add " + n.source(n.active, n.ups) + "/26 dev " + device, "link set " + device + " up",
		"route replace default via " + n.gateway(n.active) + " dev " + device,
	}
}

func (n *Namespace) change(lines []string) error { return batch(n.name, lines) }

// Close ends what still runs inside and removes the namespace with its paths.
func (n *Namespace) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	output, err := exec.Command("/bin/sh", "-c", cleanUp, "sh", n.name).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("removing the network namespace %s: %w: %s", n.name, err, output)
	}
	for path := range names { // the kernel does so too, somewhat later; this does not wait for it
		_, _ = ip("", "link", "del", n.outside(path))
	}
	n.guard.Dismiss()
	return err
}

// batch has ip do the lines in a namespace; the empty name is the host's.
func batch(namespace string, lines []string) error {
	in := []string{}
	if namespace != "" {
		in = []string{"-n", namespace}
	}
	_, err := ip(strings.Join(lines, "\n")+"\n", append(in, "-batch", "-")...)
	return err
}

func ip(input string, arguments ...string) (string, error) {
	command := exec.Command("ip", arguments...)
	command.Stdin = strings.NewReader(input)
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("ip %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(string(output)))
	}
	return string(output), err
}
