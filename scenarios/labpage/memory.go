package labpage

import (
	"context"
	"errors"
	"sync"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/plan"
)

// mostKept is the number of runs to keep, for undo and for drawing at another width or zoom.
const mostKept = 12

// A memory caches the latest runs.
type memory struct {
	mu   sync.Mutex
	keys []string // oldest first
	runs map[string]run
}

var played = memory{runs: map[string]run{}}

// of plays the document, or returns its cached run. Runs take turns, so that each has a
// processor to itself.
func (m *memory) of(ctx context.Context, d document) run {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.runs[d.key]; ok {
		return r
	}
	r := d.play(ctx)
	if ctx.Err() != nil { // it may have been cut short
		return r
	}
	m.keys, m.runs[d.key] = append(m.keys, d.key), r
	if len(m.keys) > mostKept {
		delete(m.runs, m.keys[0])
		m.keys = m.keys[1:]
	}
	return r
}

// shrinkBudget is the number of plans to play in search of a smaller one, which takes some
// seconds.
const shrinkBudget = 150

// shrunk returns the smallest document found that still breaks the same rule.
func (d document) shrunk(ctx context.Context) (document, error) {
	before, level := played.of(ctx, d), contract.Level("") // the step's own
	if before.verdict.Outcome != check.Fail {              // the promise is kept, but messages beyond it may be lost
		level = contract.DurableDelivery
	}
	ruleOf := func(r run) contract.RuleID {
		if v := check.JudgeAt(level, r.Events); r.Err == nil && v.Outcome == check.Fail {
			return v.Rule()
		}
		return ""
	}
	rule := ruleOf(before)
	if rule == "" {
		return d, errors.New("there is nothing to shrink: the run breaks no rule")
	}
	smaller := plan.Shrink(ctx, d.plan, func(p plan.Plan) bool {
		if bounded(p) != nil {
			return false
		}
		return ruleOf(document{server: d.server, plan: p}.play(ctx)) == rule
	}, shrinkBudget)
	return documentOf(d.server, smaller)
}
