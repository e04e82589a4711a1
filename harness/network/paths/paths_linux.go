package paths

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"redial/harness/guard"
)

// prefix begins the names of the namespaces and links of this package.
const prefix = "redial-"

// slots is how many namespaces a machine can have. Each has the network 198.18.SLOT.0/24, from the
// block that is reserved for benchmarks (RFC 2544).
const slots = 256

// addresses is how many addresses a path has. It takes another one each time it comes up, as with a
// carrier, so that a connection from the old address stays dead.
const addresses = 60

// offline is how long a program has no network during a Switch. Chromium fires "offline" after 20 ms,
// or 700 ms on a busy machine, and does not if the other path is up before.
const offline = 2 * time.Second

// cleanUp kills the processes in the namespace and removes it with its paths.
const cleanUp = `ip netns pids "$1" | xargs -r kill -KILL
ip netns del "$1"`

// A Namespace is a network namespace with two paths to this machine. One of them is up.
//
// The package calls ip instead of using a netlink library: ip makes each change in one batch, starts
// programs in the namespace, and needs no thread that enters it.
type Namespace struct {
	name  string
	guard *guard.Guard

	slot    int
	claimed bool // the slot's links are this namespace's own

	mu     sync.Mutex
	active int
	ups    int // how often the network has changed
	closed bool
}

// names are the names of the paths inside the namespace.
var names = [2]string{"wifi", "4g"}

var (
	sweep sync.Once
	made  atomic.Int64
)

// Available returns nil if a Namespace can be made, or the reason why not.
func Available() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: this is not root", ErrUnavailable)
	}
	status, _ := os.ReadFile("/proc/self/status")
	_, effective, _ := strings.Cut(string(status), "CapEff:")
	var capabilities uint64
	const netAdmin, sysAdmin = 1 << 12, 1 << 21 // as in capabilities(7)
	if _, err := fmt.Sscanf(effective, "%x", &capabilities); err != nil || capabilities&netAdmin == 0 || capabilities&sysAdmin == 0 {
		return fmt.Errorf("%w: this process lacks CAP_NET_ADMIN or CAP_SYS_ADMIN, as in most containers", ErrUnavailable)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("%w: there is no command ip", ErrUnavailable)
	}
	return nil
}

// New makes a namespace with the path "wifi" up. Close removes it. If this process is killed, a guard
// removes it, and if that is killed too, the next process that makes a namespace.
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

// removeStale removes the namespaces of processes that have ended, also of one that had this process's
// number. This process has none yet.
func removeStale() {
	found, _ := filepath.Glob("/run/netns/" + prefix + "*")
	for _, file := range found {
		var pid, number int
		name := filepath.Base(file)
		if _, err := fmt.Sscanf(name, prefix+"%d-%d", &pid, &number); err == nil && (pid == os.Getpid() || syscall.Kill(pid, 0) == syscall.ESRCH) {
			_ = exec.Command("/bin/sh", "-c", cleanUp, "sh", name).Run() // another process may do the same
		}
	}
}

func (n *Namespace) make() error {
	if _, err := ip("", "netns", "add", n.name); err != nil {
		return err
	}
	if err := n.claim(); err != nil {
		return err
	}
	var outside []string
	inside := []string{"link set lo up"}
	for path := range names {
		device := n.outside(path)
		// The host's end has routes and no address: if any address of a machine comes or goes, each
		// Chromium on it drops the requests that are about to connect (net::ERR_NETWORK_CHANGED). For
		// the same reason addrgenmode forbids an IPv6 address. Inside, that would follow a second after
		// the link, and a browser would see the network change twice.
		outside = append(outside, "link set "+device+" addrgenmode none", "link set "+device+" up",
			fmt.Sprintf("route add %s/26 dev %s", n.address(64*path), device),
			fmt.Sprintf("route add local %s dev %s", n.gateway(path), device))
		inside = append(inside, "link set "+names[path]+" addrgenmode none")
	}
	outside = append(outside, "route add local "+n.Address()+" dev "+n.outside(0))
	if err := batch("", outside); err != nil {
		return err
	}
	if err := batch(n.name, inside); err != nil {
		return err
	}
	for path := range names { // drops packets that come over a path from the other one's address
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+n.outside(path)+"/rp_filter", []byte("1"), 0); err != nil {
			return err
		}
	}
	return batch(n.name, n.up())
}

// claim makes the links in the first slot where both names are free. Of a namespace whose process was
// killed, the kernel removes one link after the other, so the second name may be taken still.
func (n *Namespace) claim() error {
	link := func(path int) (string, error) {
		return ip("", "link", "add", n.outside(path), "type", "veth", "peer", "name", names[path], "netns", n.name)
	}
	for n.slot = range slots {
		output, err := link(0)
		if err == nil {
			if output, err = link(1); err == nil {
				n.claimed = true
				return nil
			}
			_, _ = ip("", "link", "del", n.outside(0))
		}
		if !strings.Contains(output, "exists") {
			return err
		}
	}
	return fmt.Errorf("all %d networks are in use", slots)
}

// outside is the name of the host's end of a path.
func (n *Namespace) outside(path int) string {
	return fmt.Sprintf("%s%d-%s", prefix, n.slot, names[path])
}

func (n *Namespace) gateway(path int) string { return n.address(64*path + 1) }

func (n *Namespace) address(host int) string { return fmt.Sprintf("198.18.%d.%d", n.slot, host) }

// Address is the host's address for programs inside, over either path.
func (n *Namespace) Address() string { return n.address(129) }

// Source is the current source address of connections from inside.
func (n *Namespace) Source() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.source(n.active, n.ups)
}

// Next is the path after the next Switch, and its source address.
func (n *Namespace) Next() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return names[1-n.active] + ", " + n.source(1-n.active, n.ups+1)
}

func (n *Namespace) source(path, ups int) string { return n.address(64*path + 2 + ups%addresses) }

// Command is the command in front of a program's own that runs it inside.
func (n *Namespace) Command() []string { return []string{"ip", "netns", "exec", n.name} }

// Switch takes the link of the path down and removes its address, and brings up the other path two
// seconds later. Then it returns.
func (n *Namespace) Switch() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := names[n.active]
	n.active = 1 - n.active
	n.ups++
	if err := batch(n.name, []string{"link set " + old + " down", "addr flush dev " + old}); err != nil {
		return err
	}
	time.Sleep(offline)
	return batch(n.name, n.up())
}

// up has the commands that bring the active path up with a new address.
func (n *Namespace) up() []string {
	device := names[n.active]
	return []string{
		"addr flush dev " + device, "addr add " + n.source(n.active, n.ups) + "/26 dev " + device, "link set " + device + " up",
		"route replace default via " + n.gateway(n.active) + " dev " + device,
	}
}

// Close kills the programs inside and removes the namespace with its paths.
func (n *Namespace) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	if n.claimed {
		// While the first link is there, the slot is this namespace's. The kernel removes the links of
		// a namespace, too, but later, when another process may have links of these names.
		for path := range slices.Backward(names[:]) {
			_, _ = ip("", "link", "del", n.outside(path))
		}
	}
	output, err := exec.Command("/bin/sh", "-c", cleanUp, "sh", n.name).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("removing the network namespace %s: %w: %s", n.name, err, output)
	}
	n.guard.Dismiss()
	return err
}

// batch runs the lines with ip in a namespace; the empty name is that of the host.
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
