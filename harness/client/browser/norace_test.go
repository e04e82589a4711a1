//go:build !race

package browser

// underRace means that the race detector is on.
const underRace = false
