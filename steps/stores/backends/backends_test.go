package backends

import (
	"context"
	"errors"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func started(t *testing.T, start func(context.Context) (*Server, error)) *Server {
	t.Helper()
	s, err := start(context.Background())
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStopKillStartAndPause(t *testing.T) {
	for name, start := range map[string]func(context.Context) (*Server, error){"redis": StartRedis, "postgres": StartPostgres} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			s := started(t, start)
			url := s.URL
			for _, end := range []func() error{s.Stop, s.Kill} {
				if err := end(); err != nil {
					t.Fatal(err)
				}
				if conn, err := net.DialTimeout("tcp", s.Address, time.Second); err == nil {
					conn.Close()
					t.Error("the server was ended, and its port accepts connections")
				}
				if err := s.Start(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if name == "postgres" {
				pausesAndEndsQueries(t, s)
			}
			if s.URL != url || !strings.Contains(url, "@127.0.0.1:") {
				t.Errorf("the URL was %s and is %s", url, s.URL)
			}
			if err := s.Pause(); err != nil {
				t.Fatal(err)
			}
			short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			if s.ready(short) == nil {
				t.Error("the server is paused, and replies")
			}
			if err := s.Continue(); err != nil {
				t.Fatal(err)
			}
			if err := s.ready(ctx); err != nil {
				t.Error(err)
			}
			all := append(children(s.group), s.group)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			for _, process := range all {
				if !errors.Is(syscall.Kill(process, 0), syscall.ESRCH) {
					t.Errorf("the process %d is running after Close", process)
				}
			}
			if _, err := os.Stat(s.folder); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder exists after Close: %v", err)
			}
		})
	}
}

// pausesAndEndsQueries tests Pause and Kill with a process of PostgreSQL that is in a query: it
// notices neither the end of its parent nor that the parent is suspended.
func pausesAndEndsQueries(t *testing.T, s *Server) {
	t.Helper()
	if len(children(s.group)) == 0 {
		return // they cannot be found on this system
	}
	ctx := t.Context()
	busy, err1 := pgx.Connect(ctx, s.URL)
	idle, err2 := pgx.Connect(ctx, s.URL)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	process := int(busy.PgConn().PID())
	go func() { _, _ = busy.Exec(ctx, "DO $$ BEGIN LOOP END LOOP; END $$") }()
	for state := ""; state != "active"; {
		if err := idle.QueryRow(ctx, "SELECT state FROM pg_stat_activity WHERE pid = $1", process).Scan(&state); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if idle.Ping(short) == nil {
		t.Error("the server is paused, and replies on an open connection")
	}
	if err := s.Continue(); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ctx); err != nil {
		_ = syscall.Kill(process, syscall.SIGKILL)
		t.Fatal(err)
	}
}

func TestRedisRefusesAWrongPassword(t *testing.T) {
	s := started(t, StartRedis)
	if err := s.pingRedis(context.Background(), "wrong"); err == nil {
		t.Error("Redis accepts a wrong password")
	}
}

// PostgreSQL's shared memory belongs to no process and to no folder. The test examines only
// the memory of its own server, because another one may run on this machine.
func TestCloseLeavesNoSharedMemory(t *testing.T) {
	s := started(t, StartPostgres)
	process := strconv.Itoa(s.group)
	maps, err := os.ReadFile("/proc/" + process + "/maps")
	if err != nil {
		t.Skip(err)
	}
	if len(segmentsOf(t, process)) == 0 {
		t.Error("a running PostgreSQL has no System V segment, so this test cannot fail")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range regexp.MustCompile(`/dev/shm/PostgreSQL\.\d+`).FindAllString(string(maps), -1) {
		if _, err := os.Stat(file); err == nil {
			t.Errorf("left behind: %s", file)
		}
	}
	if left := segmentsOf(t, process); len(left) > 0 {
		t.Errorf("System V segments left behind: %v", left)
	}
}

// segmentsOf lists the System V shared memory that the process has created.
func segmentsOf(t *testing.T, process string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		// key shmid perms size cpid …
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == process {
			ids = append(ids, fields[1])
		}
	}
	return ids
}
