//go:build !race

package docs

// underRace tells whether the race detector is on: it would watch the examples for minutes.
const underRace = false
