package lab

import (
	"context"
	"fmt"

	"redial/harness/plan"
	"redial/harness/target"
)

// realLab is missing here: WebAssembly has no processes and no TCP.
type realLab struct{}

func (realLab) String() string { return "real" }

func (realLab) Play(context.Context, Server, Config, plan.Plan) Run {
	return Run{Err: fmt.Errorf("%w: WebAssembly has no processes and no TCP", target.ErrUnsupported)}
}
