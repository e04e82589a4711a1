package lab

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"redial/harness/history"
	"redial/harness/target"
	"redial/steps/stores/sqlite"
)

// A dataKeeper is a target whose data folder the lab can access.
type dataKeeper interface {
	// DataDir is the folder for data that outlives the server.
	DataDir() string
	// ReplaceData empties it. The server must be down.
	ReplaceData() error
}

// lockDatabase locks every SQLite database in the server's data folder. A writer gets
// SQLITE_BUSY; in WAL mode readers are not affected.
func (s *servers) lockDatabase() error {
	keeper, ok := s.target.(dataKeeper)
	if !ok {
		return target.ErrNoData
	}
	files, err := databases(keeper.DataDir())
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return target.ErrNoData
	}
	for _, file := range files {
		db, err := sql.Open(sqlite.Name, "file:"+file+"?_busy_timeout=5000")
		if err != nil {
			return err
		}
		s.locks = append(s.locks, db)
		// With a single connection, the transaction stays open until the database is closed.
		db.SetMaxOpenConns(1)
		if _, err := db.ExecContext(context.Background(), "BEGIN EXCLUSIVE"); err != nil {
			return fmt.Errorf("locking the database %s: %w", filepath.Base(file), err)
		}
	}
	s.record(history.Event{Kind: history.Note, Detail: "the database is locked"})
	return nil
}

func (s *servers) unlockDatabase() error {
	if len(s.locks) == 0 {
		return nil
	}
	var err error
	for _, db := range s.locks {
		err = errors.Join(err, db.Close()) // rolls the transaction back
	}
	s.locks = nil
	s.record(history.Event{Kind: history.Note, Detail: "the database is unlocked"})
	return err
}

func (s *servers) replaceData() error {
	keeper, ok := s.target.(dataKeeper)
	if !ok {
		return target.ErrNoData
	}
	if err := keeper.ReplaceData(); err != nil {
		return err
	}
	s.record(history.Event{Kind: history.DataReplaced})
	return nil
}
