package runner

import (
	"context"
	"fmt"

	"redial/harness/check"
	"redial/harness/client"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/internal/verdict"
	"redial/scenarios/peers"
)

// newPage returns lab.Config.NewPage for a client other than the official one.
func newPage(c peers.Client, level contract.Level) lab.NewPage {
	return func(options client.Options, tabOf client.Client) (client.Client, error) {
		if tabOf != nil {
			return nil, fmt.Errorf("%w: %s has no tabs", client.ErrUnsupported, c.Name)
		}
		return c.New(options, level), nil
	}
}

// official plays a plan that did not pass with another client again with the official one. It
// returns no outcome if ctx ends meanwhile.
func (r *Runner) official(ctx context.Context, c Cell, config lab.Config, p plan.Plan) check.Outcome {
	config.NewPage = nil
	run := playWithin(ctx, r.options.Lab, r.options.Limit, c.Server, config, p)
	if ctx.Err() != nil {
		return ""
	}
	return verdict.Of(run, c.Server.Level).Outcome
}
