package messagelog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"redial/steps/stores/backends"
)

// servers are shared by all tests of the package.
var servers struct {
	once            sync.Once
	postgres, redis *backends.Server
	err             error
	databases       int
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, s := range []*backends.Server{servers.postgres, servers.redis} {
		if s != nil {
			if err := s.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// onPostgres returns the options of a new database. It skips the test if PostgreSQL or Redis
// is not installed.
func onPostgres(t *testing.T) Options {
	t.Helper()
	ctx := context.Background()
	servers.once.Do(func() {
		if servers.postgres, servers.err = backends.StartPostgres(ctx); servers.err == nil {
			servers.redis, servers.err = backends.StartRedis(ctx)
		}
	})
	if errors.Is(servers.err, backends.ErrMissing) {
		t.Skip(servers.err)
	}
	if servers.err != nil {
		t.Fatal(servers.err)
	}
	servers.databases++
	name := fmt.Sprint("test", servers.databases)
	execute(t, servers.postgres.URL, "CREATE DATABASE "+name)
	return Options{
		DatabaseURL: strings.Replace(servers.postgres.URL, "/postgres?", "/"+name+"?", 1),
		RedisURL:    servers.redis.URL,
	}
}

func execute(t *testing.T, url, statement string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(context.Background(), statement); err != nil {
		t.Fatal(err)
	}
	return conn
}

// blockSlow blocks the transaction that inserts the text "slow" until release: its row has an
// id and is not visible.
func blockSlow(t *testing.T, url string) (release func()) {
	t.Helper()
	conn := execute(t, url, `
		CREATE FUNCTION block() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.content = 'slow' THEN PERFORM pg_advisory_xact_lock(7); END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER block AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION block();
		SELECT pg_advisory_lock(7)`)
	return func() {
		if _, err := conn.Exec(context.Background(), "SELECT pg_advisory_unlock(7)"); err != nil {
			t.Error(err)
		}
	}
}

// awaitBlocked waits until want transactions wait for an advisory lock.
func awaitBlocked(t *testing.T, url string, want int) {
	t.Helper()
	conn := execute(t, url, "SELECT 1")
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(5 * time.Millisecond) {
		var got int
		err := conn.QueryRow(context.Background(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&got)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%d transactions wait for a lock, want %d: %v", got, want, err)
		}
		if got == want {
			return
		}
	}
}

// Two rows get their ids, and the first takes longer to commit. Without the lock of Append, a
// reader sees the second row, continues after it, and never sees the first.
func TestLockOfAppendMakesIDsVisibleInOrder(t *testing.T) {
	for _, unordered := range []bool{true, false} {
		t.Run(fmt.Sprint("unordered=", unordered), func(t *testing.T) {
			options := onPostgres(t)
			l := open(t, options).(*postgresLog)
			l.unordered = unordered
			release := blockSlow(t, options.DatabaseURL)
			var work sync.WaitGroup
			work.Go(func() { put(t, l, "1", "slow") })
			awaitBlocked(t, options.DatabaseURL, 1)
			fast := make(chan struct{})
			work.Go(func() { put(t, l, "2", "fast"); close(fast) })
			var seen []Row
			if unordered {
				<-fast // overtakes the slow one
			} else {
				awaitBlocked(t, options.DatabaseURL, 2)
			}
			seen = readOn(t, l, seen)
			release()
			work.Wait()
			seen = readOn(t, l, seen)
			var texts []string
			for _, row := range seen {
				texts = append(texts, row.Text)
			}
			want := "[slow fast]"
			if unordered {
				want = "[fast]" // slow is never read
			}
			if fmt.Sprint(texts) != want {
				t.Errorf("a reader saw %v, want %s", texts, want)
			}
			if stored := all(t, l); fmt.Sprint(stored) != "[slow fast]" {
				t.Errorf("stored are %v", stored)
			}
		})
	}
}

func readOn(t *testing.T, l Log, seen []Row) []Row {
	t.Helper()
	var last int64
	if len(seen) > 0 {
		last = seen[len(seen)-1].ID
	}
	rows, _, err := l.After(context.Background(), last, 100)
	if err != nil {
		t.Fatal(err)
	}
	return append(seen, rows...)
}

// PostgreSQL is killed during the transaction: Append returns an error, and retries store the
// message once.
func TestRetryAfterPostgresIsKilledInATransaction(t *testing.T) {
	options := onPostgres(t)
	l := open(t, options)
	put(t, l, "1", "before")
	blockSlow(t, options.DatabaseURL)
	appended := make(chan error, 1)
	go func() {
		_, err := l.Append(context.Background(), "2", "slow")
		appended <- err
	}()
	awaitBlocked(t, options.DatabaseURL, 1)
	if err := errors.Join(servers.postgres.Kill(), servers.postgres.Start(context.Background())); err != nil {
		t.Fatal(err)
	}
	if err := <-appended; err == nil {
		t.Error("Append returned no error, and its transaction was aborted")
	}
	put(t, l, "3", "meanwhile")
	put(t, l, "2", "slow")
	put(t, l, "2", "slow")
	if stored := fmt.Sprint(all(t, l)); stored != "[before meanwhile slow]" {
		t.Errorf("stored are %s", stored)
	}
}

// A message whose Append failed may or may not be stored, and its retry returns the id of the
// first attempt. Every acknowledged message is stored once.
func TestRetriesWhilePostgresRestarts(t *testing.T) {
	options := onPostgres(t)
	l := open(t, options)
	acknowledged := make([]map[string]int64, 4)
	var failed atomic.Int64
	stop := make(chan struct{})
	var work sync.WaitGroup
	for w := range acknowledged {
		acknowledged[w] = map[string]int64{}
		work.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprint(w, "-", n)
				for {
					id, err := l.Append(context.Background(), key, "text of "+key)
					if err == nil {
						acknowledged[w][key] = id
						break
					}
					failed.Add(1)
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	for i := range 4 {
		time.Sleep(100 * time.Millisecond)
		end := servers.postgres.Kill
		if i%2 == 0 {
			end = servers.postgres.Stop
		}
		if err := errors.Join(end(), servers.postgres.Start(context.Background())); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	work.Wait()
	rows, more, err := l.After(context.Background(), 0, 1_000_000)
	if err != nil || more {
		t.Fatal(err, more)
	}
	ids := map[string]int64{}
	for _, row := range rows {
		if ids[row.Text] != 0 {
			t.Errorf("%q is stored twice", row.Text)
		}
		ids[row.Text] = row.ID
	}
	count := 0
	for _, each := range acknowledged {
		for key, id := range each {
			count++
			if ids["text of "+key] != id {
				t.Errorf("%s was acknowledged as %d and is stored as %d", key, id, ids["text of "+key])
			}
		}
	}
	if count != len(rows) || count == 0 {
		t.Errorf("%d are acknowledged and %d stored", count, len(rows))
	}
	if failed.Load() == 0 {
		t.Error("no Append failed, so no restart was during a commit")
	}
}

// A Redis that is suspended answers nothing. A call of it then takes a second.
func TestAcknowledgementsDoNotWaitForRedis(t *testing.T) {
	l := open(t, onPostgres(t))
	if err := servers.redis.Pause(); err != nil {
		t.Fatal(err)
	}
	const messages = 10
	began := time.Now()
	for range messages {
		put(t, l, rand.Text(), "while Redis is suspended")
	}
	took := time.Since(began)
	if err := servers.redis.Continue(); err != nil {
		t.Fatal(err)
	}
	if took >= messages*time.Second {
		t.Errorf("%d acknowledgements waited %v for Redis", messages, took)
	}
}

// Without Redis, messages of other processes are noticed by the poll; after it has restarted,
// by its notifications again.
func TestRedisOnlyNotifies(t *testing.T) {
	options := onPostgres(t)
	slow := options
	slow.poll = time.Hour
	a, b, polling := open(t, options), open(t, slow), open(t, options)
	if err := servers.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	put(t, a, "1", "without Redis")
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	if rows, err := tail(ctx, polling, 1); err != nil || rows[0].Text != "without Redis" {
		t.Errorf("with the poll a reader got %v, %v", rows, err)
	}
	if err := servers.redis.Start(ctx); err != nil {
		t.Fatal(err)
	}
	for {
		put(t, a, rand.Text(), "again")
		select {
		case <-b.Changed():
			return
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("no notification came after the restart of Redis")
		}
	}
}
