//go:build !race

// Package race tells tests whether the race detector is on, with which a virtual run takes ten
// times as long.
//
// Read [Enabled]. The package must not import another one.
package race

// Enabled is whether the race detector is on.
const Enabled = false
