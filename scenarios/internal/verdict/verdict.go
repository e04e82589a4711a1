// Package verdict judges the run of a lab, which package check cannot, since it must not know
// the labs. Read [Of]. It is built for a browser, too, so it must not import packages that start
// processes.
package verdict

import (
	"errors"

	"redial/harness/check"
	"redial/harness/client"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/target"
)

// Of judges a run by its history, or by what kept it from having one.
func Of(r lab.Run, level contract.Level) check.Verdict {
	switch {
	case errors.Is(r.Err, target.ErrUnsupported), errors.Is(r.Err, target.ErrNoData), errors.Is(r.Err, client.ErrUnsupported):
		return check.Verdict{Outcome: check.Unsupported, Level: level, Reason: r.Err.Error()}
	case r.Err != nil:
		return check.Verdict{Outcome: check.Inconclusive, Level: level, Reason: r.Err.Error()}
	}
	return check.Judge(r.Events)
}
