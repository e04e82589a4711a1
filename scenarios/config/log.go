package config

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // PostgreSQL through database/sql; the steps use pgx, too
	_ "github.com/mattn/go-sqlite3"

	"redial/harness/client/wire"
	"redial/harness/lab"
	"redial/harness/protocol"
	"redial/harness/target"
)

// largestLog limits the size of an HTTP response with the stored messages.
const largestLog = 64 << 20

// Reader returns a function that reads the stored messages; relative paths are relative to
// folder. Rows have no offset if offsets are opaque, or if log.offset is not given.
func (l *Log) Reader(folder string, opaque bool) lab.ReadLog {
	return func(ctx context.Context, server target.Target) (rows []wire.Row, err error) {
		if l.SQL != "" {
			rows, err = l.query(ctx, folder, server, opaque)
		} else {
			rows, err = l.get(ctx, server, opaque)
		}
		if err != nil {
			return nil, fmt.Errorf("log: %w", err)
		}
		return rows, nil
	}
}

func (l *Log) query(ctx context.Context, folder string, server target.Target, opaque bool) (rows []wire.Row, err error) {
	driver, source := "pgx", l.Postgres
	if l.File != "" {
		if source, err = l.database(folder, server); err != nil {
			return nil, err
		}
		driver = "sqlite3"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	found, err := db.QueryContext(ctx, l.SQL)
	if err != nil {
		return nil, fmt.Errorf("the query failed: %w", err)
	}
	defer found.Close()
	if columns, err := found.Columns(); err != nil || len(columns) != 2 {
		return nil, fmt.Errorf("the query has to return two columns, the offset and the text; it returns %d", len(columns))
	}
	for found.Next() {
		var offset any
		var text string
		if err := found.Scan(&offset, &text); err != nil {
			return nil, err
		}
		number, ok := protocol.WholeNumber(offset)
		switch {
		case opaque:
			number = 0
		case !ok:
			return nil, fmt.Errorf("the first column has to be the offset, a whole number; a row has %v (write socket.receive.opaque: true where offsets are no numbers)", offset)
		}
		rows = append(rows, wire.Row{Message: text, Offset: number})
	}
	return rows, found.Err()
}

// database returns the data source of the SQLite file, opened read-only.
func (l *Log) database(folder string, server target.Target) (source string, err error) {
	file := l.File
	if strings.Contains(file, "{{data}}") {
		keeper, ok := server.(interface{ DataDir() string })
		if !ok {
			return "", errors.New("file: {{data}} is the folder of a command that redial starts, and this server is none")
		}
		file = strings.ReplaceAll(file, "{{data}}", keeper.DataDir())
	} else if !filepath.IsAbs(file) {
		file = filepath.Join(folder, file)
	}
	return (&url.URL{Scheme: "file", Path: file, RawQuery: "mode=ro&_busy_timeout=5000"}).String(), nil
}

// get requests the log as a JSON list over HTTP.
func (l *Log) get(ctx context.Context, server target.Target, opaque bool) (rows []wire.Row, err error) {
	address := l.URL
	if strings.HasPrefix(address, "/") {
		address = "http://" + server.Address() + address
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	for name, value := range l.Headers {
		request.Header.Set(name, value)
	}
	request.Host = request.Header.Get("Host") // empty means that of the address
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s answers %s", l.URL, response.Status)
	}
	var document any
	if err := json.NewDecoder(io.LimitReader(response.Body, largestLog)).Decode(&document); err != nil {
		return nil, fmt.Errorf("GET %s does not answer with JSON: %w", l.URL, err)
	}
	read := protocol.Protocol{
		Receive: protocol.Receive{Text: l.Text, Offset: l.Offset},
		History: &protocol.History{Event: "log", List: l.List},
	}
	messages, _ := read.Read("log", []any{document})
	for _, m := range messages {
		row := wire.Row{Message: protocol.TextOf(m.Text)}
		if l.Offset != "" && !opaque {
			if row.Offset = m.Offset; !m.Numbered {
				return nil, fmt.Errorf("offset: the message %.60q has no whole number at %s", row.Message, l.Offset)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}
