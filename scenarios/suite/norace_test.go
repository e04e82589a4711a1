//go:build !race

package suite_test

// underRace tells whether the race detector is on: a virtual run then takes ten times as long.
const underRace = false
