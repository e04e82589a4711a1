package browser

import (
	"context"
	"fmt"
	"time"
)

// lookEvery is the time between two looks for a conversation that cannot be opened yet.
const lookEvery = 100 * time.Millisecond

// perform performs the steps, one after the other. A key that follows a skipped step is skipped,
// too: it was meant for that step's element.
func (c *Client) perform(ctx context.Context, t *tab, steps []Step) error {
	skipped := false
	for i, step := range steps {
		var err error
		if step.Press == "" {
			skipped, err = c.performOn(ctx, t, step)
		} else if !skipped {
			err = t.press(ctx, step.Press)
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// performOn performs a step that has an element.
func (c *Client) performOn(ctx context.Context, t *tab, step Step) (skipped bool, err error) {
	bound := c.elementBound
	if step.Optional {
		bound = optionalBound
	}
	on := c.elementOf(step)
	if err := t.visible(ctx, on, bound); err != nil {
		if step.Optional && ctx.Err() == nil {
			return true, nil
		}
		return false, err
	}
	switch {
	case step.Fill != "":
		return false, t.fill(ctx, on, c.fill(step.With))
	case step.Click != "":
		return false, t.click(ctx, on)
	}
	return false, nil
}

// elementOf is the element of a step that has one.
func (c *Client) elementOf(step Step) element {
	return element{step.Fill + step.Click + step.Await, c.fill(step.Text)} // one of the three is set
}

// openConversation performs the steps of Spec.Conversation. The caller holds c.input.
func (c *Client) openConversation(ctx context.Context, t *tab) error {
	if err := c.perform(ctx, t, c.spec.Conversation); err != nil {
		return fmt.Errorf("cannot open the conversation on the page %s, %w", c.path(), err)
	}
	return nil
}

// awaitConversation opens the conversation as soon as the document offers it: a client that only
// receives messages has to see them, too, and the other user may not be online yet.
func (c *Client) awaitConversation(t *tab, document string) {
	first := c.elementOf(c.spec.Conversation[0])
	for sleep(t.ctx, lookEvery) == nil && c.shows(t, document) {
		if why, _, err := t.look(t.ctx, first); err != nil || why != "" {
			continue
		}
		c.input.Lock()
		_, err := c.current() // an error while the page is suspended
		if err == nil && c.shows(t, document) {
			ctx, cancel := t.bounded(actBound)
			if err = c.openConversation(ctx, t); err != nil {
				c.note(err.Error())
			}
			cancel()
		}
		c.input.Unlock()
		if err == nil {
			return
		}
	}
}

// shows tells whether the tab is open and shows the document.
func (c *Client) shows(t *tab, document string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tab == t && t.document == document
}
