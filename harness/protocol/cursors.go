package protocol

// Cursors number the opaque offsets that one page receives, in the order of arrival, from 1.
// So a client compares them as it compares numeric offsets: one that it has received before
// is not newer than its own, and any other is.
//
// The numbers are valid only within that page. Another page may have received the same
// messages in another order, so a history does not contain them.
type Cursors struct {
	values  []any
	numbers map[string]int64
}

// Number sets the offset of each message that has a cursor to the cursor's number.
func (c *Cursors) Number(messages []Message) {
	for i, m := range messages {
		if m.Cursor != nil {
			messages[i].Offset, messages[i].Numbered = c.Of(m.Cursor), true
		}
	}
}

// Of returns the number of a cursor, and assigns the next one to a cursor that is new.
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

// Offset sets the value of Offset in a template to the cursor with the number. While the page
// has received no cursor, the value is left out.
func (c *Cursors) Offset(values Values, number int64) {
	if number < 1 || number > int64(len(c.values)) {
		delete(values, Offset)
		return
	}
	values[Offset] = c.values[number-1]
}
