//go:build !race

package lab_test

const underRace = false
