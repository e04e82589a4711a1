package backends

import (
	"context"
	"errors"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
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

func TestEachIsStoppedKilledAndStartedAgain(t *testing.T) {
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
					t.Error("it was ended, and something answers")
				}
				if err := s.Start(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if s.URL != url || !strings.Contains(url, "@127.0.0.1:") {
				t.Errorf("it was at %s and is at %s", url, s.URL)
			}
			if err := s.Pause(); err != nil {
				t.Fatal(err)
			}
			short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			if s.ready(short) == nil {
				t.Error("it is paused, and answers")
			}
			if err := s.Continue(); err != nil {
				t.Fatal(err)
			}
			if err := s.ready(ctx); err != nil {
				t.Error(err)
			}
			group := s.life.group
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if groupAlive(group) {
				t.Error("a process is left after Close")
			}
			if _, err := os.Stat(s.folder); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder is there after Close: %v", err)
			}
		})
	}
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	s := started(t, StartRedis)
	if err := s.pingRedis(context.Background(), "wrong"); err == nil {
		t.Error("Redis takes any password")
	}
}

// PostgreSQL keeps shared memory outside of any process; a folder that is removed does
// not take it along. What is looked at is this server's, whoever else runs one.
func TestNoSharedMemoryIsLeft(t *testing.T) {
	s := started(t, StartPostgres)
	process := strconv.Itoa(s.life.group)
	maps, err := os.ReadFile("/proc/" + process + "/maps")
	if err != nil {
		t.Skip(err)
	}
	if len(segmentsOf(t, process)) == 0 {
		t.Error("a PostgreSQL that runs has no System V segment: this test looks in the wrong place")
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

// segmentsOf lists the System V shared memory that the process has made, as Linux tells.
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
