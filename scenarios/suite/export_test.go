package suite

import (
	"testing"

	"redial/harness/lab"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// Labels returns the labels of a scenario on a step in the real lab.
func Labels(t *testing.T, step, scenario string) []string {
	server, err := servers.Step(step)
	if err != nil {
		t.Fatal(err)
	}
	which, err := catalogue.Find([]string{scenario})
	if err != nil {
		t.Fatal(err)
	}
	return labels(runner.Cell{Scenario: which[0], Server: server}, lab.Real)
}
