//go:build !js

package sqlite

import (
	"database/sql/driver"
	"errors"
	"os"

	"github.com/mattn/go-sqlite3"
)

// Name is the name of the driver in package database/sql.
const Name = "sqlite3"

// Conn is a connection of the driver, for a driver that wraps it.
type Conn = sqlite3.SQLiteConn

// Driver returns the driver, for the same purpose.
func Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// IsBusy reports whether another connection has the lock.
func IsBusy(err error) bool {
	var failed sqlite3.Error
	return errors.As(err, &failed) && (failed.Code == sqlite3.ErrBusy || failed.Code == sqlite3.ErrLocked)
}

// IsUnique reports whether a UNIQUE column has the value already.
func IsUnique(err error) bool {
	var failed sqlite3.Error
	return errors.As(err, &failed) && failed.ExtendedCode == sqlite3.ErrConstraintUnique
}

func makeFolder(folder string) error { return os.MkdirAll(folder, 0o755) }
