// Package views has what several kinds of client share about their views: a page is loaded by one
// caller at a time, a view has a list of messages, and a bounded number of notes.
//
// Read [Loads] and [List] first. The package must not know what a page or a client is.
package views

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrClosed is returned by a load of a tab that was closed meanwhile.
var ErrClosed = errors.New("the tab was closed meanwhile")

// Loads are the page loads of a tab, of which one runs at a time.
type Loads struct {
	// turn is held while a page is loaded or the tab is closed. It is a channel and not a mutex
	// because waiting for it may take time, and a fake clock does not advance while a goroutine
	// waits for a mutex.
	turn chan struct{}

	mu sync.Mutex
	// cancels has the function that cancels each load that runs or waits for its turn; closing
	// counts the calls of Close that wait for them.
	cancels map[context.Context]context.CancelCauseFunc
	closing int
}

// NewLoads returns Loads of which none runs.
func NewLoads() *Loads {
	return &Loads{turn: make(chan struct{}, 1), cancels: map[context.Context]context.CancelCauseFunc{}}
}

// Begin waits for the turn of a load, which lasts until end is called. The context of the load ends
// also when the load is cancelled.
func (l *Loads) Begin(ctx context.Context) (_ context.Context, end func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	l.cancels[ctx] = cancel
	l.mu.Unlock()
	forget := func() {
		cancel(nil)
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.cancels, ctx)
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		forget()
		return nil, nil, context.Cause(ctx)
	}
	end = func() { <-l.turn; forget() }
	l.mu.Lock()
	closing := l.closing > 0
	l.mu.Unlock()
	if closing {
		end()
		return nil, nil, ErrClosed
	}
	return ctx, end, nil
}

// Cancel cancels the loads that run or wait for their turn.
func (l *Loads) Cancel(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, cancel := range l.cancels {
		cancel(why)
	}
}

// Close cancels the loads and takes the turn, which lasts until end is called. Until Close has the
// turn, no other load begins.
func (l *Loads) Close() (end func()) {
	l.mu.Lock()
	l.closing++
	l.mu.Unlock()
	l.Cancel(ErrClosed)
	l.turn <- struct{}{}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing--
	return func() { <-l.turn }
}

// A List is the list of messages of one view, as its user sees it.
type List struct {
	texts []string
	// gone counts, by text, the elements that were removed and have not come back.
	gone map[string]int
	// dropped is how many of the texts are no longer there, because the list is of limited length.
	dropped int
	// emptied has the list as it was before it was emptied.
	emptied []string
}

// Change replaces the texts from an index on, not counting those that the list has dropped. It
// returns those that are new to the user, and whether others were removed. A page may empty its list
// and fill it again: a text that was removed is not new when it comes back, unless a new one precedes
// it.
func (l *List) Change(dropped, from int, texts []string) (fresh []string, rewritten bool) {
	l.dropped = min(dropped, len(l.texts))
	from += l.dropped
	for len(texts) > 0 && from < len(l.texts) && l.texts[from] == texts[0] {
		from, texts = from+1, texts[1:]
	}
	from = min(from, len(l.texts))
	removed := l.texts[from:]
	rewritten = len(removed) > 0
	if from == l.dropped {
		for _, text := range l.excused() {
			delete(l.gone, text)
		}
		if len(texts) == 0 && rewritten {
			l.emptied = slices.Clone(removed)
		}
		if kept := trimmed(removed, texts); kept > 0 {
			// The oldest elements have gone for good. If one of them is shown again, it is new.
			removed = removed[len(removed)-kept:]
		}
	}
	for _, text := range removed {
		if l.gone == nil {
			l.gone = map[string]int{}
		}
		l.gone[text]++
	}
	fresh = texts
	for i, text := range texts {
		if l.gone[text] == 0 {
			continue
		}
		if l.gone[text]--; l.gone[text] == 0 {
			delete(l.gone, text)
		}
		if len(fresh) == len(texts)-i {
			fresh = fresh[1:]
		}
	}
	l.texts = append(l.texts[:from], texts...)
	return fresh, rewritten
}

// trimmed returns how many elements stay if only the first ones of before are missing from after,
// and else 0.
func trimmed(before, after []string) int {
	if len(after) == 0 {
		return 0
	}
	first := slices.Index(before, after[0])
	if first <= 0 || len(after) < len(before)-first || !slices.Equal(before[first:], after[:len(before)-first]) {
		return 0
	}
	return len(before) - first
}

// Removed returns, sorted, the texts that were removed and have not come back.
func (l *List) Removed() []string {
	excused := l.excused()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(l.gone)), func(text string) bool {
		return slices.Contains(excused, text) || slices.Contains(l.texts, text)
	})
}

// excused is what need not come back: a list of limited length that was emptied may come back
// without its oldest elements, when it is as long again.
func (l *List) excused() []string {
	now := l.texts[l.dropped:]
	kept := trimmed(l.emptied, now)
	if kept == 0 || len(now) < len(l.emptied) {
		return nil
	}
	return l.emptied[:len(l.emptied)-kept]
}

// Len returns the number of texts in the list.
func (l *List) Len() int { return len(l.texts) }

// notesPerView bounds the notes of a view that fails all the time.
const notesPerView = 1000

// Notes are the notes of one view.
type Notes struct{ count atomic.Int32 }

// Next returns the next note for the user on one line, or false if there are too many.
func (n *Notes) Next(text string) (note string, ok bool) {
	count := n.count.Add(1)
	if count == notesPerView {
		text = "no more notes from this view"
	}
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", " "), count <= notesPerView
}

// Reset begins the notes of the next view.
func (n *Notes) Reset() { n.count.Store(0) }
