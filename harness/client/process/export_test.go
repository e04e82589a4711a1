package process

import "time"

// SetBounds shortens the time that a program may take, and returns a function that undoes it.
func SetBounds(bound time.Duration) (undo func()) {
	start, act := startBound, actBound
	startBound, actBound = bound, bound
	return func() { startBound, actBound = start, act }
}
