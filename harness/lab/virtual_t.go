package lab

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// WithT calls f with a testing.T that is good for [Virtual], in a program that is
// no test.
//
// The testing package makes a T only for a test binary's main function (its
// RunTests runs nothing in any other program since it takes its list of CPUs from
// there). A T's zero value is enough for synctest.Test, which uses its name and its
// output, and those only where something fails; Virtual fails nothing. As nobody
// promises that, WithT tries it first.
func WithT(f func(t *testing.T)) (err error) {
	t := new(testing.T)
	if err := try(t); err != nil {
		return err
	}
	f(t)
	return nil
}

func try(t *testing.T) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("the virtual lab cannot run outside of `go test` with this version of Go: %v", reason)
		}
	}()
	synctest.Test(t, func(*testing.T) {})
	return nil
}
