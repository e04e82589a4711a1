//go:build race

package runner_test

// underRace tells whether the race detector is on: a virtual run then takes ten times as long.
const underRace = true
