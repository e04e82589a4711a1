package process

import "time"

// SetBounds sets the bounds on a program's answers, and returns a function that restores them.
func SetBounds(bound time.Duration) (undo func()) {
	start, act := startBound, actBound
	startBound, actBound = bound, bound
	return func() { startBound, actBound = start, act }
}
