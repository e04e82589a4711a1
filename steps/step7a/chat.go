// Package step7a is another way to server delivery: at each connect the server sends the
// whole state, and the page replaces what it shows.
//
// Read connected. Without an offset and without recovery, little can go wrong. The price is
// that the cost of a connect grows with the log, and that all other clients wait meanwhile.
// Step 7 is for logs that grow.
package step7a

import (
	"database/sql"
	_ "embed"
	"errors"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/cures/backpressure"
	"redial/steps/cures/handshake"
	"redial/steps/internal/serve"
	"redial/steps/stores/sqlite"
)

// Page is the page that the server serves.
//
//go:embed index.html
var Page []byte

// room receives the live messages. A page joins it when it has the state.
const room = "chat"

type chat struct {
	server *socket.Server

	// order is held while a message is stored and emitted, and while a page is sent the
	// state and joins the room.
	order serve.Lock
	db    *sql.DB
}

// New makes the server of this step, with its database in settings.DataDir.
func New(settings serve.Settings) (http.Handler, io.Closer, error) {
	settings = settings.WithDefaults()
	db, err := sqlite.Open(settings.Driver, settings.DataDir, 5*time.Second)
	if err != nil {
		return nil, nil, err
	}
	c := &chat{server: socket.NewServer(nil, settings.Options), order: serve.NewLock(), db: db}
	// A page that reads nothing while others send is disconnected before the data that
	// waits for it fills the memory. When it reconnects, it is sent the state again.
	backpressure.Limit{}.Apply(c.server)
	_ = c.server.On("connection", func(args ...any) { c.connected(args[0].(*socket.Socket)) })

	routes := http.NewServeMux()
	routes.Handle("GET /{$}", serve.Page(Page))
	routes.Handle("/socket.io/", handshake.Handler(c.server))
	return routes, c, nil
}

func (c *chat) connected(client *socket.Socket) {
	_ = client.On("chat message", func(args ...any) {
		var id int64
		text, err := serve.Text(args)
		if err == nil {
			id, err = c.storeAndEmit(text)
		}
		serve.Answer(client, args, map[string]any{"offset": id}, err)
	})
	c.order.Lock()
	messages, err := c.state()
	if err == nil {
		_ = client.Emit("state", messages)
		client.Join(room)
	}
	c.order.Unlock()
	if err != nil {
		log.Printf("a page could not be sent the state: %v", err)
		// The page notices the broken connection, reconnects, and asks again.
		client.Conn().Close(true)
	}
}

// state returns every message, the oldest first.
func (c *chat) state() ([]any, error) {
	rows, err := c.db.Query("SELECT content FROM messages ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	messages := []any{}
	for rows.Next() {
		var content string
		if err := rows.Scan(&content); err != nil {
			return nil, err
		}
		messages = append(messages, content)
	}
	return messages, rows.Err()
}

// storeAndEmit stores a message and emits it, with no other message in between. It returns
// the message's id.
func (c *chat) storeAndEmit(text string) (int64, error) {
	c.order.Lock()
	defer c.order.Unlock()
	result, err := c.db.Exec("INSERT INTO messages (content) VALUES (?)", text)
	if err != nil {
		log.Printf("a message could not be stored: %v", err)
		return 0, errors.New("the message could not be stored")
	}
	id, err := result.LastInsertId()
	if err != nil {
		return 0, err
	}
	c.server.To(room).Emit("chat message", text, id)
	return id, nil
}

// Close disconnects every page, waits for the message that is being stored, and closes the
// database.
func (c *chat) Close() error {
	c.server.Close(nil)
	c.order.Lock()
	defer c.order.Unlock()
	return c.db.Close()
}
