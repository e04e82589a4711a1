// Package serve contains the code that every step needs and no step is about: settings,
// start and stop, the browser bundle, and the arguments of an event.
//
// Read [Settings] first, the parameter of a step's New; then [Value], [Text] and [Answer],
// which the steps call. [Run] is what `go run ./steps 7` does with the handler.
//
// serve must not import a step or the harness.
package serve

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// Settings are the parameters of a step. The zero value is valid.
type Settings struct {
	// DataDir is the folder for data that must survive a restart. Empty means the current
	// folder. A missing folder is created.
	DataDir string
	// Options are the options of the Socket.IO server, including the heartbeat. A step changes
	// only a copy.
	Options *socket.ServerOptions
	// MaxDisconnection is how long connection state recovery keeps a session; 0 means 2
	// minutes.
	MaxDisconnection time.Duration
	// ReplayPage is how many stored messages are read at a time; 0 means 500.
	ReplayPage int
	// Driver is the database/sql driver for SQLite; "" selects that of package sqlite. A test
	// can wrap that driver.
	Driver string
	// DatabaseURL, if not empty, is the PostgreSQL that several servers share, and RedisURL
	// the Redis through which they notify each other. For step 9.
	DatabaseURL, RedisURL string
	// Nodes are the addresses, "http://host:port", to which a page may connect when its own
	// server is unavailable. For step 9.
	Nodes []string
}

// WithDefaults sets the empty fields. It copies Options, so that two servers made from the
// same settings do not change each other's.
func (s Settings) WithDefaults() Settings {
	options := socket.DefaultServerOptions()
	if s.Options != nil {
		options.Assign(s.Options)
	}
	s.Options = options
	if s.MaxDisconnection <= 0 {
		s.MaxDisconnection = 2 * time.Minute
	}
	if s.ReplayPage <= 0 {
		s.ReplayPage = 500
	}
	return s
}

// Environment holds the settings from the environment variables.
type Environment struct {
	// Address is "host:port" to listen on.
	Address  string
	Settings Settings
}

// FromEnvironment reads HOST, PORT, DATA_DIR, PING_INTERVAL, PING_TIMEOUT and
// MAX_DISCONNECTION_DURATION (the last three in milliseconds); and, for step 9, NODES
// (separated by spaces) and BACKEND, whose value postgres requires DATABASE_URL and
// REDIS_URL. dataDir is the default of DATA_DIR. An error is one line that names the variable.
func FromEnvironment(dataDir string) (Environment, error) {
	const day = 24 * 60 * 60 * 1000
	port, err1 := number("PORT", 3000, 0, 65535)
	interval, err2 := number("PING_INTERVAL", 25_000, 1, day)
	timeout, err3 := number("PING_TIMEOUT", 20_000, 1, day)
	disconnection, err4 := number("MAX_DISCONNECTION_DURATION", 120_000, 1, 30*day)
	database, redis, err5 := backend()
	if err := cmp.Or(err1, err2, err3, err4, err5); err != nil {
		return Environment{}, err
	}
	options := socket.DefaultServerOptions()
	options.SetPingInterval(milliseconds(interval))
	options.SetPingTimeout(milliseconds(timeout))
	return Environment{
		// By default only this machine can connect, because a lesson's server has no
		// authentication.
		Address: fmt.Sprintf("%s:%d", cmp.Or(os.Getenv("HOST"), "127.0.0.1"), port),
		Settings: Settings{
			DataDir:          cmp.Or(os.Getenv("DATA_DIR"), dataDir),
			Options:          options,
			MaxDisconnection: milliseconds(disconnection),
			DatabaseURL:      database,
			RedisURL:         redis,
			Nodes:            strings.Fields(os.Getenv("NODES")),
		},
	}, nil
}

// backend returns the URLs of step 9's backends; two empty URLs mean a file in DATA_DIR.
func backend() (database, redis string, err error) {
	switch name := cmp.Or(os.Getenv("BACKEND"), "sqlite"); name {
	case "sqlite":
		return "", "", nil
	case "postgres":
		database, redis = os.Getenv("DATABASE_URL"), os.Getenv("REDIS_URL")
		if database == "" || redis == "" {
			return "", "", errors.New("BACKEND is postgres, and needs DATABASE_URL (postgres://…) and REDIS_URL (redis://…)")
		}
		return database, redis, nil
	default:
		return "", "", fmt.Errorf("BACKEND is %q, and should be sqlite or postgres", name)
	}
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func number(name string, otherwise, least, most int) (int, error) {
	value := os.Getenv(name)
	if value == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is %q, and should be a whole number from %d to %d", name, value, least, most)
	}
	return n, nil
}
