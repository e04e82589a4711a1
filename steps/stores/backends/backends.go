// Package backends runs a Redis and a PostgreSQL for step 9: from Debian's packages, on free
// ports of 127.0.0.1, with random passwords, in temporary folders. They are for
// `make step-9 BACKEND=postgres` and for tests, which stop, kill and start them again.
//
// Read [StartRedis] and [StartPostgres], which return a [Server]. Where a program is missing,
// the error is [ErrMissing] and names the command that installs it.
//
// The servers are started as child processes, without a library, because a fault has to reach
// the process itself.
//
// The package must not know the chat.
package backends

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"redial/steps/internal/child"
)

// ErrMissing means that a program is not installed. Its text names the command that installs
// it.
var ErrMissing = errors.New("no Redis or PostgreSQL is installed here: run `make backends` as root, or install the packages redis-server and postgresql")

// A Server is a running Redis or PostgreSQL. Its methods are not safe for concurrent use.
type Server struct {
	// URL contains the password. It stays the same after a restart.
	URL string
	// Address is "host:port".
	Address string

	name    string
	folder  string
	command func() *exec.Cmd
	ready   func(context.Context) error
	// stopSignal ends the server although clients are connected.
	stopSignal  syscall.Signal
	releasePort func() error

	group int             // of the process; 0 while the server does not run
	ended <-chan struct{} // closed when the process has ended
}

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
	host         = "127.0.0.1"
)

// StartRedis starts a Redis that stores nothing on disk. The caller has to close it.
func StartRedis(ctx context.Context) (*Server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrMissing
	}
	s, port, err := prepare("redis-server", syscall.SIGTERM)
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	config := fmt.Sprintf("bind %s\nport %d\nrequirepass %s\ndir %s\nsave \"\"\nappendonly no\n", host, port, password, s.folder)
	s.URL = fmt.Sprintf("redis://:%s@%s/0", password, s.Address)
	s.command = func() *exec.Cmd {
		command := exec.Command(program, "-") // the configuration is on stdin, since ps shows arguments
		command.Stdin = strings.NewReader(config)
		return command
	}
	s.ready = func(ctx context.Context) error { return s.pingRedis(ctx, password) }
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// StartPostgres starts a PostgreSQL with a new database. The caller has to close it. If this
// process runs as root, PostgreSQL, which refuses to run as root, runs as the user postgres
// of Debian's package.
func StartPostgres(ctx context.Context) (_ *Server, err error) {
	programs, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	s, port, err := prepare("postgres", syscall.SIGINT)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	owner, err := unprivileged(s.folder)
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	passwordFile := filepath.Join(s.folder, "password")
	if err := os.WriteFile(passwordFile, []byte(password+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := owner.own(passwordFile); err != nil {
		return nil, err
	}
	data := filepath.Join(s.folder, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "--pgdata", data, "--username", "redial",
		"--auth", "scram-sha-256", "--pwfile", passwordFile, "--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = s.folder, owner.attributes()
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, lastLine(string(output)))
	}
	// The network of the harness connects from other loopback addresses.
	if err := appendTo(filepath.Join(data, "pg_hba.conf"), "host all all 127.0.0.0/8 scram-sha-256\n"); err != nil {
		return nil, err
	}
	s.URL = fmt.Sprintf("postgres://redial:%s@%s/postgres?sslmode=disable", password, s.Address)
	s.command = func() *exec.Cmd {
		command := exec.Command(filepath.Join(programs, "postgres"), "-D", data,
			"-c", "listen_addresses="+host, "-c", "port="+strconv.Itoa(port), "-c", "unix_socket_directories=",
			// Files in the folder, which Close removes even after a kill.
			"-c", "dynamic_shared_memory_type=mmap")
		command.SysProcAttr = owner.attributes()
		return command
	}
	s.ready = s.pingPostgres
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// postgresPrograms returns the folder with the newest initdb and postgres.
func postgresPrograms() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if program, err := exec.LookPath("initdb"); err == nil {
		found = append(found, program)
	}
	if len(found) == 0 {
		return "", ErrMissing
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// prepare makes the folder and reserves a port.
func prepare(name string, stopSignal syscall.Signal) (*Server, int, error) {
	folder, err := os.MkdirTemp("", "redial-"+name+"-")
	if err != nil {
		return nil, 0, err
	}
	port, release, err := reserve()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("no free port for %s: %w", name, err), os.RemoveAll(folder))
	}
	return &Server{name: name, folder: folder, stopSignal: stopSignal, releasePort: release, Address: net.JoinHostPort(host, strconv.Itoa(port))}, port, nil
}

// Start starts the server again after Stop or Kill, and returns when it accepts clients.
func (s *Server) Start(ctx context.Context) error {
	if s.group != 0 {
		return fmt.Errorf("%s runs already", s.name)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	command, output := s.command(), &outputTail{}
	command.Dir = s.folder
	command.Stdout, command.Stderr = output, output
	// A child of the program that outlives it would keep the output open.
	command.WaitDelay = time.Second
	ended, err := child.Start(command)
	if err != nil {
		return fmt.Errorf("%s cannot be started: %w", s.name, err)
	}
	s.group, s.ended = command.Process.Pid, ended
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			s.group = 0
			return fmt.Errorf("%s ended before it was ready: %s", s.name, strings.ReplaceAll(strings.TrimSpace(output.String()), "\n", "; "))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s did not get ready: %w; its last output: %s", s.name, err, lastLine(output.String())), s.Kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop shuts the server down, and kills it if that takes too long.
func (s *Server) Stop() error {
	if s.group == 0 {
		return nil
	}
	_ = syscall.Kill(s.group, s.stopSignal)
	select {
	case <-s.ended:
		s.group = 0
		return nil
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("%s did not stop within %v and was killed", s.name, stopTimeout), s.Kill())
	}
}

// Kill ends the server and, on Linux, its children with SIGKILL. The children end first, while
// the server is suspended and starts none: afterwards they would have another parent. A child of
// PostgreSQL that is in a query would outlive the server, with the shared memory that the next
// server needs.
func (s *Server) Kill() error {
	if s.group == 0 {
		return nil
	}
	_ = s.Pause()
	// Only a parent can wait for a process, so the children are polled.
	for deadline := time.Now().Add(stopTimeout); ; time.Sleep(5 * time.Millisecond) {
		alive := children(s.group)
		if len(alive) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes of %s survived SIGKILL: %v", s.name, alive)
		}
		for _, child := range alive {
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
	}
	_ = syscall.Kill(-s.group, syscall.SIGKILL)
	<-s.ended
	s.group = 0
	return nil
}

// Pause suspends the server and, on Linux, its children with SIGSTOP.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Continue resumes them with SIGCONT.
func (s *Server) Continue() error { return s.signal(syscall.SIGCONT) }

// signal sends the signal to the server first, which then starts no further child, and to the
// children, because each one of PostgreSQL is in a session and so a group of its own.
func (s *Server) signal(signal syscall.Signal) error {
	if s.group == 0 {
		return fmt.Errorf("%s does not run", s.name)
	}
	err := syscall.Kill(-s.group, signal)
	for _, child := range children(s.group) {
		_ = syscall.Kill(child, signal) // it may have ended
	}
	return err
}

// Close stops the server, even if it is paused, and removes its folder. It does not kill
// PostgreSQL, because that would leave shared memory behind.
func (s *Server) Close() error {
	if s.group != 0 {
		_ = s.Continue()
	}
	return errors.Join(s.Stop(), s.releasePort(), os.RemoveAll(s.folder))
}

// pingRedis logs in and sends one PING.
func (s *Server) pingRedis(ctx context.Context, password string) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\nPING\r\n", password); err != nil {
		return err
	}
	answer := make([]byte, len("+OK\r\n+PONG\r\n"))
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "+OK\r\n+PONG\r\n" {
		return fmt.Errorf("unexpected reply of Redis: %q, %v", answer, err)
	}
	return nil
}

// An outputTail stores the last 4 kB of a program's output.
type outputTail struct {
	mu   sync.Mutex
	last []byte
}

func (t *outputTail) Write(output []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, output...)
	t.last = t.last[max(0, len(t.last)-4096):]
	return len(output), nil
}

func (t *outputTail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}

func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return lines[len(lines)-1]
}
