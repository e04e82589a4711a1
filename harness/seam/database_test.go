package seam_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/seam"
)

// A pause that went on after the cancellation would stop the fake clock for ever.
func TestQueryCancelledBetweenRowsEndsAtOnce(t *testing.T) {
	paused := 0
	for seed := range uint64(8) { // with some seeds, all rows are read before the cancellation
		synctest.Test(t, func(t *testing.T) {
			if read, err := cancelledAfter(t, seed, time.Millisecond); read < manyRows && err != nil {
				paused++
			}
		})
	}
	if paused == 0 {
		t.Error("no query was cancelled between two of its rows")
	}
}

const manyRows = 1000

func cancelledAfter(t *testing.T, seed uint64, d time.Duration) (read int, err error) {
	dir := t.TempDir()
	defer seam.Open(dir, seam.Seams{Seed: seed, Longest: time.Second})()
	db, err := sql.Open(seam.Driver, filepath.Join(dir, "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err := db.QueryContext(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?) SELECT i FROM n", manyRows)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	time.AfterFunc(d, cancel)
	for rows.Next() {
		read++
	}
	return read, rows.Err()
}
