package defect

import (
	"strings"
	"testing"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
)

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		args []any
		ok   bool
	}{
		{[]any{"text"}, true},
		{[]any{"text", "key"}, true},
		{[]any{}, false},
		{[]any{1.0}, false},
		{[]any{"text", 1.0}, false},
		{[]any{map[string]any{"a": 1.0}}, false},
		{[]any{strings.Repeat("x", maxText+1)}, false},
	} {
		var answer map[string]any
		stored := 0
		reply := func(args []any, _ error) { answer = args[0].(map[string]any) }
		store := func(string, string) (int64, error) { stored++; return 7, nil }
		take(append(c.args, reply), store)
		_, refused := answer[contract.RefusalField].(string)
		if refused == c.ok || (stored == 1) != c.ok || c.ok && answer["offset"] != int64(7) {
			t.Errorf("%.40v: answer %v, stored %d", c.args, answer, stored)
		}
		take(c.args, store) // take must not need an acknowledgement
	}
}

func TestMessages(t *testing.T) {
	log, err := openMessages(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	first, err := log.insert("text", "key", true)
	if err != nil {
		t.Fatal(err)
	}
	if id, known, err := log.find("key"); id != first || !known || err != nil {
		t.Errorf("found %d, %t, %v; want %d", id, known, err, first)
	}
	if _, err := log.insert("text", "key", true); err == nil {
		t.Error("the key was stored twice")
	}
	burnt, _ := log.insert("gone", "", false)
	next, _ := log.insert("text", "", true)
	rows, _ := log.selected(rightQuery, 0)
	if burnt <= first || next <= burnt || len(rows) != 2 {
		t.Errorf("ids %d, %d, %d and the rows %v", first, burnt, next, rows)
	}
}

func TestAKeyIsStoredOnce(t *testing.T) {
	log, err := openMessages(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	c := &chat{server: socket.NewServer(nil, nil), log: log}
	for _, attempt := range []struct {
		text, key string
		want      int64
	}{{"one", "k1", 1}, {"one", "k1", 1}, {"one", "k2", 2}, {"one", "", 3}} {
		if id, err := c.storeAndEmit(nil, usual(attempt.text), attempt.key); err != nil || id != attempt.want {
			t.Errorf("%+v: id %d, %v", attempt, id, err)
		}
	}
	if rows, _ := log.selected(rightQuery, 0); len(rows) != 3 {
		t.Errorf("%d rows, want 3", len(rows))
	}
}

func TestChangesHaveOnePlace(t *testing.T) {
	page := []byte("one two two")
	if got, err := Apply(page, []Change{{"one", "1"}}); err != nil || string(got) != "1 two two" {
		t.Errorf("%q, %v", got, err)
	}
	for _, old := range []string{"two", "three"} {
		if _, err := Apply(page, []Change{{old, ""}}); err == nil {
			t.Errorf("%q was changed, and the page does not have it once", old)
		}
	}
}
