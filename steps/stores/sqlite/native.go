//go:build !js

package sqlite

import (
	"database/sql/driver"
	"errors"
	"os"

	"github.com/mattn/go-sqlite3"
)

// Name is the driver's, of package database/sql.
const Name = "sqlite3"

// Conn is a connection of the driver, for one that wraps it.
type Conn = sqlite3.SQLiteConn

// Driver is the driver, for the same purpose.
func Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// IsBusy tells whether the error says that another connection has a lock.
func IsBusy(err error) bool {
	var failed sqlite3.Error
	return errors.As(err, &failed) && (failed.Code == sqlite3.ErrBusy || failed.Code == sqlite3.ErrLocked)
}

// IsUnique tells whether the error says that a column that is UNIQUE has the value already.
func IsUnique(err error) bool {
	var failed sqlite3.Error
	return errors.As(err, &failed) && failed.ExtendedCode == sqlite3.ErrConstraintUnique
}

func makeFolder(folder string) error { return os.MkdirAll(folder, 0o755) }
