package defect

import (
	"errors"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
)

// followEvery is how often one of several servers looks for what the others have stored.
const followEvery = 20 * time.Millisecond

// A following is how one of several servers, which share the log, emits what is in it. It emits
// also its own messages from there, so that all servers emit in one order.
type following struct {
	// toldAfter is the time from the acknowledgement of a message until the other servers, and
	// this one, are told of it. Zero means that they read the log itself.
	toldAfter time.Duration
	// behind lets a page join at the end of the log, though the server may not have emitted all
	// of that yet.
	behind bool
}

// RightTogether is one of several servers that share the log, without another injection: together
// they keep every rule.
func RightTogether(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return injected(injection{follows: &following{}})(dir, options)
}

// clusters lists two servers that share the log. Only the real lab has several servers.
var clusters = []Defect{
	{
		Name: "no-adapter", Sentence: "Two servers share the log, and each emits a message only to its own pages.",
		Source: "the tutorial, step 9, without its cluster adapter", Level: contract.ClientDelivery, Rule: contract.NoLoss, Scenario: "join-elsewhere",
		New: Right, Cluster: true,
	},
	{
		Name: "tells-after-acknowledging", Sentence: "Two servers share the log. The one that stores a message acknowledges it and then tells the other.",
		Source: "a publish to Redis after the commit", Level: contract.ClientDelivery, Rule: contract.NoLoss, Scenario: "crash-before-emit",
		New: injected(injection{follows: &following{toldAfter: 300 * time.Millisecond}}), Cluster: true,
	},
	{
		Name: "keys-of-server", Sentence: "Two servers share the log, and each knows again only the keys that it has stored itself since it was started.",
		Source: "a set of keys in memory", Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "crash-before-emit",
		New: injected(injection{follows: &following{}, keysInMemory: true}), Cluster: true,
	},
	{
		Name: "joins-behind", Sentence: "Two servers share the log. A page is sent all of it and joins, and then the server emits what it had not emitted yet.",
		Source: slip, Level: contract.ClientDelivery, Rule: contract.NoDuplicate, Scenario: "join-elsewhere",
		New: injected(injection{follows: &following{behind: true}}), Page: ShowsAll, Cluster: true,
	},
}

// follow emits new messages until the server is closed.
func (c *chat) follow() {
	for c.isOpen() {
		c.order.Lock()
		err := c.publish()
		c.order.Unlock()
		if err != nil && c.isOpen() {
			log.Printf("the log cannot be read at the moment: %v", err)
		}
		time.Sleep(followEvery)
	}
}

// publish emits the messages of the log that this server has not emitted yet. The caller holds
// the lock.
func (c *chat) publish() error {
	query := rightQuery
	if c.injection.follows.toldAfter > 0 {
		query = "SELECT id, text FROM messages JOIN told USING (id) WHERE id > ? ORDER BY id"
	}
	rows, err := c.log.selected(query, c.published)
	for _, r := range rows {
		err = errors.Join(err, c.server.To(room).Emit(contract.ChatEvent, r.text, r.id))
		c.published = r.id
	}
	return err
}

// startFollowing begins at the end of the log: a page that connects from now on is sent all that
// is in it.
func (c *chat) startFollowing() error {
	if c.injection.follows == nil {
		return nil
	}
	if _, err := c.log.db.Exec("CREATE TABLE IF NOT EXISTS told (id INTEGER PRIMARY KEY)"); err != nil {
		return err
	}
	if err := c.log.db.QueryRow("SELECT COALESCE(MAX(id), 0) FROM messages").Scan(&c.published); err != nil {
		return err
	}
	go c.follow()
	return nil
}

// tell tells every server of a message.
func (c *chat) tell(id int64) {
	time.Sleep(c.injection.follows.toldAfter)
	if _, err := c.log.db.Exec("INSERT INTO told (id) VALUES (?)", id); err != nil && c.isOpen() {
		log.Printf("the message %d was not told: %v", id, err)
	}
}
