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
	// Command is what each of them runs. Port is ignored, and all of them share DataDir.
	Command CommandOptions
	// Env, if not nil, returns what is added to the environment of one node.
	Env func(node string) []string
	// Shared has the services that the servers use, such as a database, by name. They run
	// already.
	Shared map[string]Part
	// Release, if not nil, ends the shared services. Close calls it after the servers ended.
	Release func() error
}

// A Cluster is a Target of several servers. Its own Start starts those that do not run, and
// its Stop and Kill end all of them.
type Cluster struct {
	names   []string
	nodes   map[string]*Command
	shared  map[string]Part
	release func() error
	dataDir string

	mu sync.Mutex
	// down has the nodes that were stopped, killed or paused.
	down      map[string]bool
	exited    chan struct{}
	stopWatch func() // ends the goroutines of watch
}

// NewCluster prepares a cluster; nothing is started before Start. If it fails, it releases the
// shared services.
func NewCluster(options ClusterOptions) (*Cluster, error) {
	c := &Cluster{
		names: slices.Clone(options.Nodes), nodes: map[string]*Command{}, shared: options.Shared, release: options.Release,
		down: map[string]bool{}, exited: make(chan struct{}),
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

// DataDir is the data folder that the servers share.
func (c *Cluster) DataDir() string { return c.nodes[c.names[0]].DataDir() }

// ReplaceData empties the data folder if it is a temporary one. No server may be running.
func (c *Cluster) ReplaceData() error {
	if c.dataDir == "" {
		return ErrNoData
	}
	return Empty(c.dataDir)
}

// String is the number of servers and their command line.
func (c *Cluster) String() string {
	return fmt.Sprintf("%d × %s", len(c.names), c.nodes[c.names[0]])
}

// Nodes are the servers' names, in order.
func (c *Cluster) Nodes() []string { return slices.Clone(c.names) }

// NodeAddress is where one server listens; empty for an unknown name.
func (c *Cluster) NodeAddress(name string) string {
	if node := c.nodes[name]; node != nil {
		return node.Address()
	}
	return ""
}

// Address is that of the first server that is not stopped, killed or paused.
func (c *Cluster) Address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.names {
		if !c.down[name] {
			return c.nodes[name].Address()
		}
	}
	return c.nodes[c.names[0]].Address()
}

// Part is the server or the shared service with the name.
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

// A clusterNode is one server. It records in the cluster whether the server is down.
type clusterNode struct {
	cluster *Cluster
	name    string
	*Command
}

func (n clusterNode) Start(ctx context.Context) error { return n.up(n.Command.Start(ctx)) }
func (n clusterNode) Stop(ctx context.Context) error  { n.markDown(); return n.Command.Stop(ctx) }
func (n clusterNode) Kill() error                     { n.markDown(); return n.Command.Kill() }
func (n clusterNode) Pause() error                    { n.markDown(); return n.Command.Pause() }
func (n clusterNode) Continue() error                 { return n.up(n.Command.Continue()) }

func (n clusterNode) markDown() {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.cluster.down[n.name] = true
}

// up records that the server is up again, unless err says that it is not.
func (n clusterNode) up(err error) error {
	if err == nil {
		n.cluster.mu.Lock()
		delete(n.cluster.down, n.name)
		n.cluster.watch()
		n.cluster.mu.Unlock()
	}
	return err
}

// watch makes a new channel for Exited and closes it when a server that is up ends without
// being asked to. The caller holds the lock.
func (c *Cluster) watch() {
	if c.stopWatch != nil {
		c.stopWatch()
	}
	over := make(chan struct{})
	c.stopWatch = sync.OnceFunc(func() { close(over) })
	exited := make(chan struct{})
	c.exited = exited
	closeExited := sync.OnceFunc(func() { close(exited) })
	for name, node := range c.nodes {
		if c.down[name] {
			continue
		}
		ended := node.Exited()
		go func() {
			select {
			case <-ended:
				closeExited()
			case <-over:
			}
		}()
	}
}

// each calls do for all servers concurrently and waits for the calls.
func (c *Cluster) each(do func(node clusterNode) error) error {
	failed := make([]error, len(c.names))
	var all sync.WaitGroup
	for i, name := range c.names {
		all.Go(func() { failed[i] = do(clusterNode{c, name, c.nodes[name]}) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// Start starts the servers that do not run, all at once.
func (c *Cluster) Start(ctx context.Context) error {
	return c.each(func(node clusterNode) error {
		if node.PID() != 0 {
			return nil
		}
		if err := node.Start(ctx); err != nil {
			return fmt.Errorf("server %s: %w", node.name, err)
		}
		return nil
	})
}

// Stop stops every server.
func (c *Cluster) Stop(ctx context.Context) error {
	return c.each(func(node clusterNode) error { return node.Stop(ctx) })
}

// Kill kills every server.
func (c *Cluster) Kill() error { return c.each(clusterNode.Kill) }

// Pause pauses every server.
func (c *Cluster) Pause() error { return c.each(clusterNode.Pause) }

// Continue continues every server.
func (c *Cluster) Continue() error { return c.each(clusterNode.Continue) }

// Exited is closed when a server has ended without being asked to. Each start or Continue of a
// server makes a new channel.
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

// Close kills the servers, releases the shared services and removes the temporary folder.
func (c *Cluster) Close() error {
	var err error
	for _, node := range c.nodes {
		err = errors.Join(err, node.Close())
	}
	c.mu.Lock()
	if c.stopWatch != nil {
		c.stopWatch()
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
