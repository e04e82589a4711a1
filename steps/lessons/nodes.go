//go:build !js

package lessons

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"redial/steps/internal/child"
	"redial/steps/internal/serve"
	"redial/steps/stores/backends"
)

// maxNodes is the maximum number of servers that one command starts.
const maxNodes = 9

// stopTimeout is longer than a server takes to stop.
const stopTimeout = 5 * time.Second

// runNodes runs a step as several processes, on consecutive ports, until ctx ends. With
// BACKEND=postgres and no DATABASE_URL it also runs the databases that they share.
func runNodes(ctx context.Context, lesson Lesson, count int) (err error) {
	if os.Getenv("BACKEND") == "postgres" && os.Getenv("DATABASE_URL") == "" {
		remove, startErr := startBackends(ctx)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, remove()) }()
	}
	environment, err := fromEnvironment(lesson)
	if err != nil {
		return err
	}
	nodes, err := chooseNodes(environment.Address, count)
	if err != nil {
		return err
	}
	var urls []string
	for _, n := range nodes {
		urls = append(urls, n.url())
	}
	if err := os.Setenv("NODES", strings.Join(urls, " ")); err != nil {
		return err
	}
	ended := make(chan *node, count)
	defer func() { err = errors.Join(err, stopNodes(nodes, ended)) }()
	for _, n := range nodes {
		if err := n.start(lesson, ended); err != nil {
			return err
		}
		fmt.Printf("The process of %s is %d: kill -9 it, and its pages connect to the next server.\n", n.url(), n.command.Process.Pid)
	}
	for range count {
		select {
		case n := <-ended:
			n.running = false
			fmt.Printf("The server at %s has ended (%s). To start it again:\n  %s\n", n.url(), n.command.ProcessState, n.commandLine(lesson))
		case <-ctx.Done():
			return nil
		}
	}
	return errors.New("no server is left")
}

// startBackends starts PostgreSQL and Redis, and sets their variables in the environment.
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

// chooseNodes returns count nodes on the ports from that of the first address on; if that is
// 0, on free ports.
func chooseNodes(first string, count int) (nodes []*node, err error) {
	host, port, err := net.SplitHostPort(first)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	if last := number + count - 1; last > 65535 {
		return nil, usageError{fmt.Errorf("%d servers need the ports from %d to %d, and 65535 is the last: choose another PORT", count, number, last)}
	}
	for n := range count {
		next := "0"
		if number > 0 {
			next = strconv.Itoa(number + n)
		}
		// Without this check the first servers would run when a later port is not free.
		listener, err := serve.Listen(net.JoinHostPort(host, next))
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		nodes = append(nodes, &node{host: host, port: port})
	}
	return nodes, nil
}

// A node is one of the server processes.
type node struct {
	host, port string
	command    *exec.Cmd
	running    bool
}

func (n *node) url() string {
	return "http://" + strings.Replace(net.JoinHostPort(n.host, n.port), "127.0.0.1", "localhost", 1)
}

// start runs this program again as one server, and sends the node when the process has ended.
func (n *node) start(lesson Lesson, ended chan<- *node) error {
	itself, err := os.Executable()
	if err != nil {
		return err
	}
	n.command = exec.Command(itself, lesson.Number)
	n.command.Env = append(os.Environ(), "HOST="+n.host, "PORT="+n.port)
	n.command.Stdout, n.command.Stderr = os.Stdout, os.Stderr
	done, err := child.Start(n.command)
	if err != nil {
		return err
	}
	n.running = true
	go func() { <-done; ended <- n }()
	return nil
}

// commandLine is the command that starts the node again.
func (n *node) commandLine(lesson Lesson) string {
	variables := []string{"PORT=" + n.port}
	for _, name := range []string{"HOST", "DATA_DIR", "NODES", "BACKEND", "DATABASE_URL", "REDIS_URL"} {
		if value := os.Getenv(name); value != "" {
			variables = append(variables, name+"='"+value+"'")
		}
	}
	return strings.Join(variables, " ") + " go run ./steps " + lesson.Number
}

// stopNodes sends SIGTERM to the running nodes and waits until they have ended.
func stopNodes(nodes []*node, ended <-chan *node) (err error) {
	running := 0
	for _, n := range nodes {
		if n.running {
			running++
			_ = n.command.Process.Signal(syscall.SIGTERM)
		}
	}
	timeout := time.After(stopTimeout)
	for ; running > 0; running-- {
		select {
		case n := <-ended:
			n.running = false
		case <-timeout:
			for _, n := range nodes {
				if n.running {
					err = errors.Join(err, fmt.Errorf("the server at %s did not stop within %v and was killed", n.url(), stopTimeout), n.command.Process.Kill())
				}
			}
			return err
		}
	}
	return nil
}
