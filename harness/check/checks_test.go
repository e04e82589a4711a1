package check

import "flag"

// The properties are cheap, and their histories are drawn: with the hundred tries that are rapid's
// default, eleven mutants of the judge survived.
func init() {
	if err := flag.Set("rapid.checks", "1000"); err != nil {
		panic(err)
	}
}
