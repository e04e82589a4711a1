package main

import (
	"strings"
	"testing"

	"redial/harness/lab"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// What a copy still loses is said whether its step has promised it or not.
func TestStill(t *testing.T) {
	for number, want := range map[string]string{
		"8":  "  refresh-with-pending: lost\n",
		"10": "Nothing is lost any more.\n",
	} {
		subject, err := servers.Step(number)
		if err != nil {
			t.Fatal(err)
		}
		which, err := catalogue.Find([]string{"refresh-with-pending"})
		if err != nil {
			t.Fatal(err)
		}
		results, err := runner.Run(t.Context(), []servers.Subject{subject}, which, runner.Options{Seed: 1, Lab: lab.Virtual})
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		if err := still(&said, results); err != nil || !strings.HasSuffix(said.String(), want) {
			t.Errorf("step %s: %v, %q, want %q", number, err, said.String(), want)
		}
	}
}
