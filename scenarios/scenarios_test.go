package scenarios_test

import (
	"os"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"

	"redial/scenarios"
)

// suite is filled by TestScenarios and read by nobody else: a Ginkgo tree can be
// built once in a process.
func TestMain(m *testing.M) {
	scenarios.BecomeStep()
	becomeControl()
	os.Exit(m.Run())
}

// TestScenarios holds every step to what the catalogue expects of it, both ways: a
// step that must lose a message and does not fails as much as one that loses one.
func TestScenarios(t *testing.T) {
	var subjects []scenarios.Subject
	for _, number := range scenarios.MatrixSteps {
		subject, err := scenarios.Step(number)
		if err != nil {
			t.Fatal(err)
		}
		subjects = append(subjects, subject)
	}
	scenarios.Define(subjects, scenarios.Catalogue, scenarios.Options{
		Seed: uint64(time.Now().UnixNano()), Golden: true, Artifacts: artifacts(t),
	})
	ginkgo.RunSpecs(t, "Redial")
}

// artifacts is where failing runs are kept: out/ in the module, which is ignored.
func artifacts(t *testing.T) string {
	t.Helper()
	return "../out/test-" + time.Now().Format("150405")
}
