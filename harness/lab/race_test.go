//go:build race

package lab_test

// underRace means that the race detector is on, with which a run takes ten times as long.
const underRace = true
