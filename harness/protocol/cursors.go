package protocol

// Cursors give the opaque offsets that one page receives numbers in the order in which they
// come, from 1. So a client compares them as it does offsets that are numbers: one that it
// has seen is not newer than its own, and any other is.
//
// The numbers are that page's alone: another page may have received the same messages in
// another order, so they are in no history.
type Cursors struct {
	values  []any
	numbers map[string]int64
}

// Number gives each message that has a cursor its number for an offset.
func (c *Cursors) Number(messages []Message) {
	for i, m := range messages {
		if m.Cursor != nil {
			messages[i].Offset, messages[i].Numbered = c.Of(m.Cursor), true
		}
	}
}

// Of is the number of a cursor.
func (c *Cursors) Of(cursor any) int64 {
	text := TextOf(cursor)
	number, known := c.numbers[text]
	if !known {
		if c.numbers == nil {
			c.numbers = map[string]int64{}
		}
		c.values = append(c.values, cursor)
		number = int64(len(c.values))
		c.numbers[text] = number
	}
	return number
}

// Offset sets the value of Offset in a template to the cursor with the number. A page that
// has received none has no offset to name, so there is no value then.
func (c *Cursors) Offset(values Values, number int64) {
	if number < 1 || number > int64(len(c.values)) {
		delete(values, Offset)
		return
	}
	values[Offset] = c.values[number-1]
}
