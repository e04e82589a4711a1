package docs

import (
	"database/sql"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	_ "github.com/mattn/go-sqlite3"

	"redial/docs/internal/markdown"
	"redial/docs/internal/picture"
	"redial/harness/report"
	"redial/steps/lessons"
)

// measuredFile stores the results of [Measure], because measured times differ with every
// run.
const measuredFile = "docs/measured.csv"

// Histories are the measured lengths of the log, in messages.
var Histories = []int{10, 100, 1000, 10_000, 100_000}

// missed is the number of messages that the page has to catch up on.
const missed = 3

// A Cost is what one reconnecting page costs a server with a long history, if the page has
// missed three messages.
type Cost struct {
	Step    string
	History int
	// Bytes counts what the server sends until the page is up to date; Took is the time for
	// it.
	Bytes int
	Took  time.Duration
}

// Measure lets a page reconnect to step 7, which sends only the missing messages, and to
// step 7a, which sends the whole state. Took is the median of all runs.
func Measure(histories []int, runs int) ([]Cost, error) {
	var costs []Cost
	for _, number := range []string{"7", "7a"} {
		for _, history := range histories {
			cost, err := measure(number, history, runs)
			if err != nil {
				return nil, fmt.Errorf("step %s with %d messages: %w", number, history, err)
			}
			costs = append(costs, cost)
		}
	}
	return costs, nil
}

func measure(number string, history, runs int) (cost Cost, err error) {
	folder, err := os.MkdirTemp("", "redial-docs-")
	if err != nil {
		return cost, err
	}
	defer os.RemoveAll(folder)
	lesson, err := lessons.Find(number)
	if err != nil {
		return cost, err
	}
	handler, closer, err := lesson.New(lessons.Settings{DataDir: folder})
	if err != nil {
		return cost, err
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	defer func() { _ = closer.Close() }() // nothing is stored after this
	if err := fill(filepath.Join(folder, "chat.db"), history); err != nil {
		return cost, err
	}
	var took []time.Duration
	for range runs {
		began := time.Now()
		bytes, err := comeBack("ws"+strings.TrimPrefix(server.URL, "http"), history)
		if err != nil {
			return cost, err
		}
		took = append(took, time.Since(began))
		cost = Cost{Step: number, History: history, Bytes: bytes}
	}
	slices.Sort(took)
	cost.Took = took[len(took)/2]
	return cost, nil
}

const text = "message %d of a long conversation"

func fill(file string, history int) error {
	db, err := sql.Open("sqlite3", file)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
		INSERT INTO messages (content) SELECT printf(?, n) FROM numbers`, history, text)
	return err
}

// comeBack connects as a page that lacks the last messages, and counts the bytes of the
// packets until the last message arrives.
func comeBack(address string, history int) (bytes int, err error) {
	connection, _, err := websocket.DefaultDialer.Dial(address+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	for {
		if err := connection.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			return bytes, err
		}
		_, packet, err := connection.ReadMessage()
		if err != nil {
			return bytes, err
		}
		switch said := string(packet); {
		case strings.HasPrefix(said, "0"):
			offer := fmt.Sprintf(`40{"serverOffset":%d}`, history-missed)
			if err := connection.WriteMessage(websocket.TextMessage, []byte(offer)); err != nil {
				return bytes, err
			}
		case strings.HasPrefix(said, "42"):
			bytes += len(packet)
			if strings.Contains(said, `"`+fmt.Sprintf(text, history)+`"`) {
				return bytes, nil
			}
		}
	}
}

// CSV returns the costs in the format that [readCosts] reads.
func CSV(costs []Cost) string {
	var out strings.Builder
	out.WriteString("step,history,bytes,microseconds\n")
	for _, c := range costs {
		fmt.Fprintf(&out, "%s,%d,%d,%d\n", c.Step, c.History, c.Bytes, c.Took.Microseconds())
	}
	return out.String()
}

func readCosts(t Tree) ([]Cost, error) {
	var costs []Cost
	for _, line := range strings.Split(strings.TrimSpace(t[measuredFile]), "\n")[1:] {
		var c Cost
		if _, err := fmt.Sscan(strings.ReplaceAll(line, ",", " "), &c.Step, &c.History, &c.Bytes, &c.Took); err != nil {
			return nil, fmt.Errorf("%s: not a line of four: %q: %w", measuredFile, line, err)
		}
		c.Took *= time.Microsecond
		costs = append(costs, c)
	}
	return costs, nil
}

// plot draws the growth of "bytes" or "time" with the length of the history.
func (p pageWriter) plot(d markdown.Directive) (string, error) {
	if d.Arguments[0] != "bytes" && d.Arguments[0] != "time" {
		return "", fmt.Errorf(`plot needs "bytes" or "time", not %q`, d.Arguments[0])
	}
	costs, err := readCosts(p.before)
	if err != nil {
		return "", err
	}
	words := report.Language(languageOf(p.page))
	isTime := d.Arguments[0] == "time"
	plot := picture.Plot{Name: "cost: " + d.Arguments[0], Across: words.Word("plot messages"), Unit: words.Word("plot bytes")}
	if isTime {
		plot.Unit = words.Word("plot ms")
	}
	for _, number := range []string{"7", "7a"} {
		line := picture.Line{Name: words.Word("plot step", number)}
		for _, c := range costs {
			if c.Step != number {
				continue
			}
			y := float64(c.Bytes)
			if isTime {
				y = float64(c.Took.Microseconds()) / 1000
			}
			line.Points = append(line.Points, [2]float64{float64(c.History), y})
		}
		plot.Lines = append(plot.Lines, line)
	}
	name := p.pictureName("cost-" + d.Arguments[0])
	p.after[name] = plot.SVG()
	return p.image(name, d.Arguments[1]), nil
}

// costTable shows the plot's values as a table.
func (p pageWriter) costTable(w *words) (string, error) {
	costs, err := readCosts(p.before)
	if err != nil {
		return "", err
	}
	rows := [][]string{{w.say("Messages in the log"), w.say("step 7"), w.say("step 7a")}}
	for _, history := range Histories {
		row := []string{strconv.Itoa(history)}
		for _, number := range []string{"7", "7a"} {
			for _, c := range costs {
				if c.Step == number && c.History == history {
					row = append(row, fmt.Sprintf("%d B, %.1f ms", c.Bytes, float64(c.Took.Microseconds())/1000))
				}
			}
		}
		rows = append(rows, row)
	}
	return w.rows(rows)
}
