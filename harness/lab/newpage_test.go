package lab_test

import (
	"errors"
	"testing"

	"redial/harness/client"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
)

// A plan that needs NewPage is unsupported in the virtual lab, and not failed: a failure would
// blame the server.
func TestOtherClientsAreOfTheRealLab(t *testing.T) {
	config := lab.Config{NewPage: func(client.Options, client.Client) (client.Client, error) { panic("made") }}
	p := plan.Plan{Clients: []plan.Client{{Name: "alice"}}, Script: []plan.Step{{Do: plan.Open, Client: "alice"}}}
	run := lab.Virtual.Play(t.Context(), lab.InProcess(nil), config, p)
	if !errors.Is(run.Err, target.ErrUnsupported) {
		t.Errorf("the virtual lab says %v", run.Err)
	}
}
