//go:build !js

package target

import (
	"crypto/rand"
	"fmt"
	"strconv"

	"redial/harness/guard"
)

// markPrefix begins the name of the environment variable that tells the processes of one
// Command from all others. A name of its own, so that a harness under test does not
// replace that of the harness that tests it.
const markPrefix = "REDIAL_TARGET_"

// newMark is an environment variable that only what one Command or Child starts has.
func newMark() string { return markPrefix + rand.Text() + "=1" }

// The guard's whole program. It reads which process group to watch, a line each,
// an empty line meaning none. When this process is gone it kills the group, and on Linux
// what else has the mark in its environment, and removes the temporary folder.
const guardScript = `group=
while read -r line; do group=$line; done
[ -z "$group" ] || kill -KILL "-$group"
for found in $([ -z "$2" ] || grep -ls "$2" /proc/[0-9]*/environ); do
	found=${found#/proc/}
	kill -KILL "${found%/environ}"
done
[ -z "$1" ] || rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }`

// A processGuard kills what this process has started where it cannot do so itself.
type processGuard struct{ *guard.Guard }

func newGuard(folder, mark string) (*processGuard, error) {
	g, err := guard.New(guardScript, folder, mark)
	if err != nil {
		return nil, fmt.Errorf("the guard that cleans up after a crash cannot be started: %w", plainError(err))
	}
	return &processGuard{g}, nil
}

// watch names the group to kill; zero means none.
func (g *processGuard) watch(group int) {
	line := ""
	if group != 0 {
		line = strconv.Itoa(group)
	}
	g.Send(line)
}
