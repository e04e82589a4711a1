package check

import (
	"flag"

	"redial/harness/lab/race"
)

// The properties are cheap, and their histories are drawn: with the hundred tries that are rapid's
// default, eleven mutants of the judge survived.
func init() {
	checks := "1000"
	if race.Enabled {
		checks = "100"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
}
