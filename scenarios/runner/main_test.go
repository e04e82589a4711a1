package runner_test

import (
	"os"
	"testing"

	"redial/scenarios/servers"
)

func TestMain(m *testing.M) {
	servers.BecomeStep()
	os.Exit(m.Run())
}

// artifacts is where failing runs are kept: out/ in the module, which is ignored.
const artifacts = "../../out/test"
