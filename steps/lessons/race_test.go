//go:build race

package lessons

// underRace reports whether the race detector is on.
const underRace = true
