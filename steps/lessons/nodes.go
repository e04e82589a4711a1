//go:build !js

package lessons

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"redial/steps/internal/serve"
	"redial/steps/stores/backends"
)

// mostNodes bounds how many servers one command starts.
const mostNodes = 9

// nodesWithin bounds the stopping of all nodes; each stops itself in less.
const nodesWithin = 5 * time.Second

// runNodes runs a step as several processes, on ports one after the other, until ctx
// ends. What they share is made and removed too, where BACKEND asks for it.
func runNodes(ctx context.Context, lesson Lesson, count int) (err error) {
	if os.Getenv("BACKEND") == "postgres" && os.Getenv("DATABASE_URL") == "" {
		remove, startErr := startBackends(ctx)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, remove()) }()
	}
	environment, err := serve.FromEnvironment(dataDir(lesson))
	if err != nil {
		return usage{err}
	}
	addresses, err := nodeAddresses(environment.Address, count)
	if err != nil {
		return err
	}
	var urls []string
	for _, address := range addresses {
		urls = append(urls, "http://"+strings.Replace(address, "127.0.0.1", "localhost", 1))
	}
	if err := os.Setenv("NODES", strings.Join(urls, " ")); err != nil {
		return err
	}
	ended := make(chan *node, count)
	var nodes []*node
	defer func() { err = errors.Join(err, stopNodes(nodes, ended)) }()
	for i, address := range addresses {
		n, err := startNode(lesson, address, urls[i], ended)
		if err != nil {
			return err
		}
		nodes = append(nodes, n)
		fmt.Printf("The process of %s is %d: kill -9 it, and see its pages go on with the next.\n", n.url, n.command.Process.Pid)
	}
	for left := count; left > 0; left-- {
		select {
		case n := <-ended:
			n.gone = true
			fmt.Printf("The server at %s has ended (%s). To start it again:\n  %s\n", n.url, n.command.ProcessState, n.again(lesson))
		case <-ctx.Done():
			return nil
		}
	}
	return errors.New("no server is left")
}

// startBackends starts PostgreSQL and Redis, and tells the environment where they are.
func startBackends(ctx context.Context) (remove func() error, err error) {
	fmt.Println("Starting PostgreSQL and Redis, in temporary folders...")
	postgres, err := backends.StartPostgres(ctx)
	if err != nil {
		return nil, err
	}
	redis, err := backends.StartRedis(ctx)
	if err != nil {
		return nil, errors.Join(err, postgres.Close())
	}
	remove = func() error { return errors.Join(redis.Close(), postgres.Close()) }
	return remove, errors.Join(os.Setenv("DATABASE_URL", postgres.URL), os.Setenv("REDIS_URL", redis.URL))
}

// nodeAddresses are count addresses from the first on; for port 0 any that are free.
func nodeAddresses(first string, count int) (addresses []string, err error) {
	host, port, err := net.SplitHostPort(first)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	if last := number + count - 1; last > 65535 {
		return nil, usage{fmt.Errorf("%d servers need the ports from %d to %d, and 65535 is the last: choose another PORT", count, number, last)}
	}
	for n := range count {
		next := "0"
		if number > 0 {
			next = strconv.Itoa(number + n)
		}
		// Looked at beforehand: else one node would run, and the next would not.
		listener, err := serve.Listen(net.JoinHostPort(host, next))
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

// A node is one of the processes.
type node struct {
	url, address string
	command      *exec.Cmd
	gone         bool
}

// startNode starts this program again as one server. It has a process group of its
// own, so that Ctrl-C reaches it once: from here.
func startNode(lesson Lesson, address, url string, ended chan<- *node) (*node, error) {
	itself, err := os.Executable()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n := &node{url: url, address: address, command: exec.Command(itself, lesson.Number)}
	n.command.Env = append(os.Environ(), "HOST="+host, "PORT="+port)
	n.command.Stdout, n.command.Stderr = os.Stdout, os.Stderr
	n.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(n.command.SysProcAttr)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // what dies with the parent dies with this thread
		defer runtime.UnlockOSThread()
		err := n.command.Start()
		started <- err
		if err == nil {
			_ = n.command.Wait()
			ended <- n
		}
	}()
	return n, <-started
}

// again is the command line that starts the node again.
func (n *node) again(lesson Lesson) string {
	_, port, _ := net.SplitHostPort(n.address)
	variables := []string{"PORT=" + port}
	for _, name := range []string{"HOST", "DATA_DIR", "NODES", "BACKEND", "DATABASE_URL", "REDIS_URL"} {
		if value := os.Getenv(name); value != "" {
			variables = append(variables, name+"='"+value+"'")
		}
	}
	return strings.Join(variables, " ") + " go run ./steps " + lesson.Number
}

// stopNodes asks all of them to end, and waits for it.
func stopNodes(nodes []*node, ended <-chan *node) (err error) {
	left := 0
	for _, n := range nodes {
		if !n.gone {
			left++
			_ = n.command.Process.Signal(syscall.SIGTERM)
		}
	}
	late := time.After(nodesWithin)
	for ; left > 0; left-- {
		select {
		case n := <-ended:
			n.gone = true
		case <-late:
			for _, n := range nodes {
				if !n.gone {
					err = errors.Join(err, fmt.Errorf("the server at %s did not stop within %v and was killed", n.url, nodesWithin), n.command.Process.Kill())
				}
			}
			return err
		}
	}
	return nil
}

func dataDir(lesson Lesson) string { return filepath.Join("out", "step-"+lesson.Number) }
