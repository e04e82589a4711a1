package check

import (
	"strings"
)

// An await is a wait of the lab that timed out.
type await struct {
	event  int
	detail string
	client string // the client whose page was to show the message; empty for every client
	text   string // the message; empty where the lab waited for something else
}

// unmetAwait returns the first wait that timed out although no connection broke. A message
// that was not shown in time is excused if its sender, or the page that was to show it, lost
// its connection meanwhile: the message may be lost then, and the rules judge whether that is
// allowed.
func (c *Checker) unmetAwait() (what Clause, found bool) {
	for _, a := range c.awaits {
		if c.isExcused(a) {
			continue
		}
		what = a.clause()
		if id, known := c.byText[a.text]; known && c.messages[id].isRefused() {
			what = clause("%s, which the server refused%s", what, at(c.messages[id].refused))
		}
		return what, true
	}
	return Clause{}, false
}

// clause is the await's detail, in parts where it names a message.
func (a await) clause() Clause {
	var who any = a.client
	if a.client == "" {
		who = clause("everyone")
	}
	shows := clause("%s shows %s", who, quote(a.text))
	if shows.String() == a.detail {
		return shows
	}
	return Clause{Format: strings.ReplaceAll(a.detail, "%", "%%")}
}

func (c *Checker) isExcused(a await) bool {
	id, known := c.byText[a.text]
	if a.text == "" || !known || !c.messages[id].isSent() || c.messages[id].isRefused() {
		return false
	}
	m := &c.messages[id]
	broken := func(v *view) bool {
		c, _ := v.connections.at(m.sentAt)
		return v.isPage && !c.contains(a.event)
	}
	if broken(c.views[m.sender]) {
		return true
	}
	for _, latest := range c.latest {
		if v := c.views[latest]; (a.client == "" || v.client == a.client) && broken(v) {
			return true
		}
	}
	return false
}
