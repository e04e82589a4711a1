//go:build !js

package target

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// ClusterOptions say which servers a Cluster has.
type ClusterOptions struct {
	// Nodes names the servers, in order. Each is a Command on a port of its own.
	Nodes []string
	// Command is what each of them runs. Port is ignored, and DataDir is one for all.
	Command CommandOptions
	// Env is what is added to the environment of one node; nil means nothing.
	Env func(node string) []string
	// Shared are what the servers stand on, by name, running already.
	Shared map[string]Part
	// Release, when not nil, ends what is shared. Close calls it when no server is left.
	Release func() error
}

// A Cluster is a Target of several servers. As a Target it is all of them: Start starts
// those that do not run, Stop and Kill end all.
type Cluster struct {
	names   []string
	nodes   map[string]*Command
	shared  map[string]Part
	release func() error
	dataDir string

	mu sync.Mutex
	// out are the nodes that were stopped, killed or paused.
	out     map[string]bool
	exited  chan struct{}
	watched func() // ends the watching of the current life
}

// NewCluster prepares a cluster; nothing is started before Start. When it fails, what
// is shared is released.
func NewCluster(options ClusterOptions) (*Cluster, error) {
	c := &Cluster{
		names: slices.Clone(options.Nodes), nodes: map[string]*Command{}, shared: options.Shared, release: options.Release,
		out: map[string]bool{}, exited: make(chan struct{}),
	}
	if len(options.Nodes) == 0 {
		return nil, errors.Join(errors.New("a cluster needs a server"), c.Close())
	}
	var err error
	if options.Command.DataDir == "" {
		if c.dataDir, err = os.MkdirTemp("", "redial-data-"); err != nil {
			return nil, errors.Join(fmt.Errorf("no temporary data folder: %w", err), c.Close())
		}
		options.Command.DataDir = c.dataDir
	}
	for _, name := range options.Nodes {
		one := options.Command
		one.Port = 0
		if options.Env != nil {
			one.Env = append(slices.Clone(one.Env), options.Env(name)...)
		}
		if c.nodes[name], err = NewCommand(one); err != nil {
			delete(c.nodes, name)
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// DataDir is the folder that the servers have in common.
func (c *Cluster) DataDir() string { return c.nodes[c.names[0]].DataDir() }

// ReplaceData empties it, if it is a temporary one. No server must be running.
func (c *Cluster) ReplaceData() error {
	if c.dataDir == "" {
		return ErrNoData
	}
	return Empty(c.dataDir)
}

// String is the command line, and how many of it there are.
func (c *Cluster) String() string {
	return fmt.Sprintf("%d × %s", len(c.names), c.nodes[c.names[0]])
}

// Nodes are the servers' names, in order.
func (c *Cluster) Nodes() []string { return slices.Clone(c.names) }

// NodeAddress is where one server listens; empty for a name that is none's.
func (c *Cluster) NodeAddress(name string) string {
	if node := c.nodes[name]; node != nil {
		return node.Address()
	}
	return ""
}

// Address is where the first of the servers listens that are not stopped, killed or
// paused.
func (c *Cluster) Address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.names {
		if !c.out[name] {
			return c.nodes[name].Address()
		}
	}
	return c.nodes[c.names[0]].Address()
}

// Part is the server, or what the servers stand on, with that name.
func (c *Cluster) Part(name string) (Part, error) {
	if name == "" {
		return c, nil
	}
	if node := c.nodes[name]; node != nil {
		return clusterNode{c, name, node}, nil
	}
	if part := c.shared[name]; part != nil {
		return part, nil
	}
	names := append(slices.Clone(c.names), slices.Sorted(maps.Keys(c.shared))...)
	return nil, fmt.Errorf("the cluster has no part %q; there are %s", name, strings.Join(names, ", "))
}

// A clusterNode is one server, whose comings and goings the cluster keeps.
type clusterNode struct {
	cluster *Cluster
	name    string
	*Command
}

func (n clusterNode) Start(ctx context.Context) error { return n.in(n.Command.Start(ctx)) }
func (n clusterNode) Stop(ctx context.Context) error  { n.leave(); return n.Command.Stop(ctx) }
func (n clusterNode) Kill() error                     { n.leave(); return n.Command.Kill() }
func (n clusterNode) Pause() error                    { n.leave(); return n.Command.Pause() }
func (n clusterNode) Continue() error                 { return n.in(n.Command.Continue()) }

func (n clusterNode) leave() {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.cluster.out[n.name] = true
}

func (n clusterNode) in(err error) error {
	if err == nil {
		n.cluster.mu.Lock()
		delete(n.cluster.out, n.name)
		n.cluster.watch()
		n.cluster.mu.Unlock()
	}
	return err
}

// watch waits for a server to end by itself. The caller holds the lock.
func (c *Cluster) watch() {
	if c.watched != nil {
		c.watched()
	}
	over := make(chan struct{})
	c.watched = sync.OnceFunc(func() { close(over) })
	exited := make(chan struct{})
	c.exited = exited
	closed := sync.OnceFunc(func() { close(exited) })
	for name, node := range c.nodes {
		if c.out[name] {
			continue
		}
		ended := node.Exited()
		go func() {
			select {
			case <-ended:
				closed()
			case <-over:
			}
		}()
	}
}

// each does something with every server at once.
func (c *Cluster) each(do func(name string, node clusterNode) error) error {
	failed := make([]error, len(c.names))
	var all sync.WaitGroup
	for i, name := range c.names {
		all.Go(func() { failed[i] = do(name, clusterNode{c, name, c.nodes[name]}) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// Start starts the servers that do not run, all at once.
func (c *Cluster) Start(ctx context.Context) error {
	return c.each(func(name string, node clusterNode) error {
		if node.PID() != 0 {
			return nil
		}
		if err := node.Start(ctx); err != nil {
			return fmt.Errorf("server %s: %w", name, err)
		}
		return nil
	})
}

// Stop asks every server to end.
func (c *Cluster) Stop(ctx context.Context) error {
	return c.each(func(_ string, node clusterNode) error { return node.Stop(ctx) })
}

// Kill ends every server at once.
func (c *Cluster) Kill() error {
	return c.each(func(_ string, node clusterNode) error { return node.Kill() })
}

// Pause stops every server where it is.
func (c *Cluster) Pause() error {
	return c.each(func(_ string, node clusterNode) error { return node.Pause() })
}

// Continue lets every server go on.
func (c *Cluster) Continue() error {
	return c.each(func(_ string, node clusterNode) error { return node.Continue() })
}

// CanRestart is true.
func (c *Cluster) CanRestart() bool { return true }

// Exited is closed when a server has ended without being asked to. It is made anew when
// a server is started or goes on.
func (c *Cluster) Exited() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exited
}

// Output is what each server printed.
func (c *Cluster) Output() string {
	var all strings.Builder
	for _, name := range c.names {
		fmt.Fprintf(&all, "server %s:\n%s\n", name, c.nodes[name].Output())
	}
	return all.String()
}

// Close kills what still runs, releases what was shared, and removes the folder.
func (c *Cluster) Close() error {
	var err error
	for _, node := range c.nodes {
		err = errors.Join(err, node.Close())
	}
	c.mu.Lock()
	if c.watched != nil {
		c.watched()
	}
	c.mu.Unlock()
	if c.release != nil {
		err = errors.Join(err, c.release())
	}
	if c.dataDir != "" {
		err = errors.Join(err, os.RemoveAll(c.dataDir))
	}
	return err
}
