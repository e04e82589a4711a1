package check

// An await is something that the lab has waited for in vain.
type await struct {
	event  int
	detail string
	client string // whose page was to show the message; empty for everyone's
	text   string // the message; empty where it was something else
}

// inVain says what was awaited in vain though nothing stood in its way, if anything
// was. A message that was not shown within the bound does not count where its sender or
// the page that was to show it lost its connection meanwhile: then it may well be lost,
// and whether it may is for the rules.
func (c *Checker) inVain() (detail string, found bool) {
	for _, a := range c.awaits {
		if !c.isExcused(a) {
			return a.detail, true
		}
	}
	return "", false
}

func (c *Checker) isExcused(a await) bool {
	id, known := c.byText[a.text]
	if a.text == "" || !known || !c.messages[id].isSent() || c.messages[id].isRefused() {
		return false
	}
	m := &c.messages[id]
	broken := func(v *view) bool { return v.isPage && !v.isConnectedFrom(m.sentAt, a.event) }
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

// isConnectedFrom tells whether the view was connected without a break between the two
// events.
func (v *view) isConnectedFrom(from, to int) bool {
	for _, connection := range v.connections {
		if connection.contains(from) && connection.contains(to) {
			return true
		}
	}
	return false
}
