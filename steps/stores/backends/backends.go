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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrMissing says that a program is not installed. Its text says what to do.
var ErrMissing = errors.New("no Redis or PostgreSQL is installed here: run `make backends` as root, or install the packages redis-server and postgresql")

// A Server is one that was started. Its methods are not for several goroutines at once.
type Server struct {
	// URL is where it is, with its password; the same over all its lives.
	URL string
	// Address is "host:port".
	Address string

	name    string
	folder  string
	command func() *exec.Cmd
	ready   func(context.Context) error
	// polite is the signal that asks it to end with its clients connected.
	polite syscall.Signal
	life   *life // nil while it does not run
	// release gives the port back.
	release func() error
}

// A life is one run of the program.
type life struct {
	group int
	done  chan struct{}
	said  *tail
}

const (
	startBound = 30 * time.Second
	stopBound  = 10 * time.Second
	host       = "127.0.0.1"
)

// StartRedis starts a Redis that keeps nothing on disk. Close it.
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
		command := exec.Command(program, "-") // the configuration on stdin: no password for `ps` to show
		command.Stdin = strings.NewReader(config)
		return command
	}
	s.ready = func(ctx context.Context) error { return s.pingRedis(ctx, password) }
	return s.begin(ctx)
}

// StartPostgres makes a database and starts PostgreSQL on it. As root it runs as the
// user postgres, which comes with Debian's package: PostgreSQL refuses to run as root.
// Close it.
func StartPostgres(ctx context.Context) (*Server, error) {
	programs, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	s, port, err := prepare("postgres", syscall.SIGINT)
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged(s.folder)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	password := rand.Text()
	passwordFile := filepath.Join(s.folder, "password")
	if err := os.WriteFile(passwordFile, []byte(password+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := owner.own(passwordFile); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	data := filepath.Join(s.folder, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "--pgdata", data, "--username", "redial",
		"--auth", "scram-sha-256", "--pwfile", passwordFile, "--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = s.folder, owner.attributes()
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, lastLine(string(output))), s.Close())
	}
	// Clients may come from any loopback address, as they do through the harness's network.
	if err := appendTo(filepath.Join(data, "pg_hba.conf"), "host all all 127.0.0.0/8 scram-sha-256\n"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.URL = fmt.Sprintf("postgres://redial:%s@%s/postgres?sslmode=disable", password, s.Address)
	s.command = func() *exec.Cmd {
		command := exec.Command(filepath.Join(programs, "postgres"), "-D", data,
			"-c", "listen_addresses="+host, "-c", "port="+strconv.Itoa(port), "-c", "unix_socket_directories=",
			// In the folder, which goes when a PostgreSQL has been killed, too.
			"-c", "dynamic_shared_memory_type=mmap")
		command.SysProcAttr = owner.attributes()
		return command
	}
	s.ready = func(ctx context.Context) error { return s.pingPostgres(ctx) }
	return s.begin(ctx)
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// postgresPrograms is the folder with the newest initdb and postgres.
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

// prepare makes the folder and takes a port.
func prepare(name string, polite syscall.Signal) (*Server, int, error) {
	folder, err := os.MkdirTemp("", "redial-"+name+"-")
	if err != nil {
		return nil, 0, err
	}
	port, release, err := reserve()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("no free port for %s: %w", name, err), os.RemoveAll(folder))
	}
	return &Server{name: name, folder: folder, polite: polite, release: release, Address: net.JoinHostPort(host, strconv.Itoa(port))}, port, nil
}

func (s *Server) begin(ctx context.Context) (*Server, error) {
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Start starts it again after Stop or Kill, and returns when it answers.
func (s *Server) Start(ctx context.Context) error {
	if s.life != nil {
		return fmt.Errorf("%s runs already", s.name)
	}
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	l, err := run(s.command(), s.folder)
	if err != nil {
		return fmt.Errorf("%s cannot be started: %w", s.name, err)
	}
	s.life = l
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-l.done:
			s.life = nil
			return fmt.Errorf("%s ended before it was ready: %s", s.name, strings.ReplaceAll(strings.TrimSpace(l.said.String()), "\n", "; "))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s did not get ready: %w; it said: %s", s.name, err, lastLine(l.said.String())), s.Kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// run starts a program in a process group of its own. The thread that starts it stays
// until the program ends: should this process die, Linux ends the program then.
func run(command *exec.Cmd, folder string) (*life, error) {
	l := &life{done: make(chan struct{}), said: &tail{}}
	command.Dir = folder
	command.Stdout, command.Stderr = l.said, l.said
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid = true
	dieWithParent(command.SysProcAttr)
	// A child of the program that outlives it would keep the output open.
	command.WaitDelay = time.Second
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		if err == nil {
			l.group = command.Process.Pid
		}
		started <- err
		if err == nil {
			_ = command.Wait()
			close(l.done)
		}
	}()
	return l, <-started
}

// Stop asks it to end and waits for that; Kill when it does not.
func (s *Server) Stop() error {
	if s.life == nil {
		return nil
	}
	_ = syscall.Kill(s.life.group, s.polite)
	select {
	case <-s.life.done:
		s.life = nil
		return nil
	case <-time.After(stopBound):
		return errors.Join(fmt.Errorf("%s was still there after %v and had to be killed", s.name, stopBound), s.Kill())
	}
}

// Kill ends it and its children at once (SIGKILL).
func (s *Server) Kill() error {
	if s.life == nil {
		return nil
	}
	_ = syscall.Kill(-s.life.group, syscall.SIGKILL)
	<-s.life.done
	// The children are not ours to wait for.
	for deadline := time.Now().Add(stopBound); groupAlive(s.life.group); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s has left processes of the group %d behind", s.name, s.life.group)
		}
	}
	s.life = nil
	return nil
}

func groupAlive(group int) bool { return !errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) }

// Pause stops it and its children where they are (SIGSTOP).
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Continue lets it go on (SIGCONT).
func (s *Server) Continue() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) error {
	if s.life == nil {
		return fmt.Errorf("%s does not run", s.name)
	}
	return syscall.Kill(-s.life.group, signal)
}

// Close ends it and removes its folder. It is asked to end, since a PostgreSQL that is
// killed leaves its shared memory to the machine; one that is paused hears nothing.
func (s *Server) Close() error {
	if s.life != nil {
		_ = s.Continue()
	}
	return errors.Join(s.Stop(), s.release(), os.RemoveAll(s.folder))
}

// pingRedis speaks two lines of Redis' protocol.
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
		return fmt.Errorf("it answers %q, %v", answer, err)
	}
	return nil
}

// A tail keeps the end of what a program says.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(said []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, said...)
	t.kept = t.kept[max(0, len(t.kept)-4096):]
	return len(said), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return lines[len(lines)-1]
}
