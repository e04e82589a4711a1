package messagelog

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"redial/steps/stores/sqlite"
)

// testTimeout limits every wait of a test.
const testTimeout = time.Minute

// open opens a log that is closed with the test.
func open(t *testing.T, options Options) Log {
	t.Helper()
	l, err := Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// eachBackend runs the test on both kinds of log. In the test, each call of open is the access
// of another process to the same log.
func eachBackend(t *testing.T, test func(t *testing.T, options Options)) {
	t.Run("sqlite", func(t *testing.T) { test(t, Options{Folder: t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) { test(t, onPostgres(t)) })
}

func put(t *testing.T, l Log, key, text string) int64 {
	t.Helper()
	id, err := l.Append(context.Background(), key, text)
	if err != nil {
		t.Fatalf("appending %.40q under %q: %v", text, key, err)
	}
	return id
}

func all(t *testing.T, l Log) (texts []string) {
	t.Helper()
	rows, more, err := l.After(context.Background(), 0, 1_000_000)
	if err != nil || more {
		t.Fatal(err, more)
	}
	for _, row := range rows {
		texts = append(texts, row.Text)
	}
	return texts
}

func TestRetryStoresNothingAndReturnsTheFirstID(t *testing.T) {
	eachBackend(t, func(t *testing.T, options Options) {
		ctx := context.Background()
		a, b := open(t, options), open(t, options)
		first := put(t, a, "key", "한글 \x00 'quoted' 👋")
		second := put(t, b, "another key", "")
		if again := put(t, b, "key", "한글 \x00 'quoted' 👋"); again != first || second <= first {
			t.Errorf("ids are %d, %d, and %d for the retry", first, second, again)
		}
		if _, err := b.Append(ctx, "key", "another text"); !errors.Is(err, ErrKeyTaken) {
			t.Errorf("a key with another text gives %v, want ErrKeyTaken", err)
		}
		if got := fmt.Sprintf("%q", all(t, a)); got != fmt.Sprintf("%q", []string{"한글 \x00 'quoted' 👋", ""}) {
			t.Errorf("the log is %s", got)
		}
		if newest, err := a.Newest(ctx); err != nil || newest != second {
			t.Errorf("the newest is %d, %v, want %d", newest, err, second)
		}
		rows, _, err := a.After(ctx, first, 1)
		if err != nil || len(rows) != 1 || rows[0].ID != second {
			t.Errorf("After(%d) returns %v, %v", first, rows, err)
		}
	})
}

func TestAfterStopsAtItsLimitOfBytes(t *testing.T) {
	eachBackend(t, func(t *testing.T, options Options) {
		l := open(t, options)
		text := strings.Repeat("한", 20_000) // 60 kB
		for n := range 7 {
			put(t, l, fmt.Sprint(n), text)
		}
		var last int64
		for _, want := range []int{5, 2} {
			rows, more, err := l.After(context.Background(), last, 100)
			if err != nil || len(rows) != want || more != (want == 5) || rows[0].Text != text {
				t.Fatalf("After(%d) returns %d rows, more: %v, %v; want %d", last, len(rows), more, err, want)
			}
			last = rows[len(rows)-1].ID
		}
	})
}

// tail reads the log as a server does.
func tail(ctx context.Context, l Log, want int) (rows []Row, err error) {
	var last int64
	for len(rows) < want {
		select {
		case <-l.Changed():
		case <-ctx.Done():
			return rows, fmt.Errorf("%d rows of %d: %w", len(rows), want, ctx.Err())
		}
		for {
			page, _, err := l.After(ctx, last, 10)
			if err != nil {
				return rows, err
			}
			rows = append(rows, page...)
			if len(page) == 0 {
				break
			}
			last = page[len(page)-1].ID
		}
	}
	return rows, nil
}

func TestTailReadsEveryRowOnceUnderWriters(t *testing.T) {
	const writers, each = 6, 60
	eachBackend(t, func(t *testing.T, options Options) {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		logs := []Log{open(t, options), open(t, options)}
		var work sync.WaitGroup
		followed := make([][]Row, len(logs))
		for i, l := range logs {
			work.Go(func() {
				var err error
				if followed[i], err = tail(ctx, l, writers*each); err != nil {
					t.Error(err)
				}
			})
		}
		for w := range writers {
			work.Go(func() {
				last := int64(0)
				for i := range each {
					id, err := logs[(w+i)%2].Append(ctx, fmt.Sprint(w, "-", i), fmt.Sprint("row ", i, " of writer ", w))
					if err != nil || id <= last {
						t.Errorf("id %d after %d, %v", id, last, err)
						return
					}
					last = id
				}
			})
		}
		work.Wait()
		if fmt.Sprint(followed[0]) != fmt.Sprint(followed[1]) || len(followed[0]) != writers*each {
			t.Errorf("the readers got %d and %d rows, want the same %d", len(followed[0]), len(followed[1]), writers*each)
		}
		if got := all(t, logs[0]); len(got) != writers*each {
			t.Errorf("%d rows are stored", len(got))
		}
	})
}

func TestChangedAfterOwnAndOthersAppends(t *testing.T) {
	eachBackend(t, func(t *testing.T, options Options) {
		options.poll = time.Hour
		if options.DatabaseURL == "" {
			options.poll = 0 // SQLite has no notifications
		}
		a, b := open(t, options), open(t, options)
		for _, l := range []Log{a, b} {
			awaitChanged(t, l, func() { put(t, a, rand.Text(), "hello") })
		}
	})
}

// awaitChanged expects a signal of l after do.
func awaitChanged(t *testing.T, l Log, do func()) {
	t.Helper()
	// Drop the signals of earlier changes.
	for quiet := false; !quiet; {
		select {
		case <-l.Changed():
		case <-time.After(300 * time.Millisecond):
			quiet = true
		}
	}
	do()
	select {
	case <-l.Changed():
	case <-time.After(testTimeout):
		t.Error("no signal came")
	}
}

func TestAfterCloseNoGoroutineIsLeftAndCallsFail(t *testing.T) {
	eachBackend(t, func(t *testing.T, options Options) {
		_ = open(t, options).Close() // libraries start goroutines that stay
		time.Sleep(200 * time.Millisecond)
		before := runtime.NumGoroutine()
		l := open(t, options)
		put(t, l, "key", "text")
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := l.Append(context.Background(), "late", "text"); err == nil {
			t.Error("a message is stored after Close")
		}
		if _, _, err := l.After(context.Background(), 0, 1); err == nil {
			t.Error("a closed log can be read")
		}
		for deadline := time.Now().Add(testTimeout); ; time.Sleep(10 * time.Millisecond) {
			if runtime.NumGoroutine() <= before {
				return
			}
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("more goroutines than the %d before:\n%s", before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// All messages wait for the lock of another process at the same time, and get an error in the
// end.
func TestAppendTimesOutWhileTheDatabaseIsLocked(t *testing.T) {
	folder := t.TempDir()
	l := open(t, Options{Folder: folder})
	other, err := sql.Open("sqlite3", filepath.Join(folder, "chat.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	writing, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	failed := make(chan error, 10) // so that one at a time would take far longer, also than on a busy machine
	for i := range cap(failed) {
		go func() {
			_, err := l.Append(context.Background(), fmt.Sprint(i), "not stored")
			failed <- err
		}()
	}
	for range cap(failed) {
		if err := <-failed; !sqlite.IsBusy(err) {
			t.Errorf("with the database locked, Append returns %v, want busy", err)
		}
	}
	if took := time.Since(began); took < turnTimeout || took >= time.Duration(cap(failed))*turnTimeout {
		t.Errorf("%d messages waited %v, want %v, all at a time", cap(failed), took, turnTimeout)
	}
	time.AfterFunc(turnTimeout/2, func() {
		if err := writing.Rollback(); err != nil {
			t.Error(err)
		}
	})
	put(t, l, "last", "stored")
	if got := fmt.Sprint(all(t, l)); got != "[stored]" {
		t.Errorf("the log is %s", got)
	}
}

func TestConcurrentOpenOfANewFile(t *testing.T) {
	for range 10 {
		folder := filepath.Join(t.TempDir(), "new")
		var work sync.WaitGroup
		for range 6 {
			work.Go(func() {
				l, err := Open(context.Background(), Options{Folder: folder})
				if err != nil {
					t.Error(err)
					return
				}
				_ = l.Close()
			})
		}
		work.Wait()
	}
}
