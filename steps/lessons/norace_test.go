//go:build !race

package lessons

const underRace = false
