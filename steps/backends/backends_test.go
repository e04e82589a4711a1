package backends

import (
	"context"
	"errors"
	"net"
	"os"
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
