//go:build race

package lab_test

// underRace tells that the race detector is on: a run then takes ten times as long.
const underRace = true
