//go:build !js

package target

import (
	"crypto/rand"
	"fmt"
	"strconv"

	"redial/harness/guard"
)

// newMark returns an environment variable that only the processes of one Command or Child
// have. Its name is random, so that a harness under test does not replace the variable of the
// harness that tests it.
func newMark() string { return "REDIAL_TARGET_" + rand.Text() + "=1" }

// guardScript reads lines, each the process group to watch; an empty line means none. When this
// process is gone the script kills the group, and on Linux also the other processes that have
// the mark in their environment, and removes the temporary folder.
const guardScript = `group=
while read -r line; do group=$line; done
[ -z "$group" ] || kill -KILL "-$group"
for found in $([ -z "$2" ] || grep -ls "$2" /proc/[0-9]*/environ); do
	found=${found#/proc/}
	kill -KILL "${found%/environ}"
done
[ -z "$1" ] || rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }`

// A processGuard kills the processes that this one has started if it dies before them.
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
