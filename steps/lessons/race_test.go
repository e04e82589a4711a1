//go:build race

package lessons

// underRace tells that the race detector is on.
const underRace = true
