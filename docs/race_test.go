//go:build race

package docs

// underRace tells whether the race detector is on: the examples would take minutes with it.
const underRace = true
