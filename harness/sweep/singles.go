package sweep

import (
	"context"
	"time"

	"redial/harness/plan"
)

// Singles plays the story without a fault, and then with every single fault at every frame of
// that run, one for each of the Groups, until ctx ends. If most is not zero, it plays the
// first most groups. If share is not zero, it bounds the time in which these are played; they
// have at least as long as the runs of Groups took, which would use up a small share.
func (s Sweeper) Singles(ctx context.Context, p plan.Plan, most int, share time.Duration) (Result, error) {
	began := time.Now()
	all, points, err := s.Groups(p)
	if err != nil {
		return Result{}, err
	}
	if most > 0 {
		all = all[:min(most, len(all))]
	}
	if share > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, max(share, time.Since(began)))
		defer end()
	}
	s.planned, s.groups = 1+len(all), all
	result := s.Play(ctx, withBase(p, func(yield func(plan.Plan) bool) {
		for _, group := range all {
			if !yield(group[0]) {
				return
			}
		}
	}))
	result.Points, result.Unbroken = points, min(1, result.Runs)
	return result, nil
}

// Pairs plays the story without a fault, and then with every two faults. If most is not zero,
// it draws that many pairs with the plan's seed.
func (s Sweeper) Pairs(ctx context.Context, p plan.Plan, most int) (Result, error) {
	frames, err := s.Frames(p)
	if err != nil {
		return Result{}, err
	}
	s.planned = plan.CountPairs(len(plan.Points(p, frames)))
	if most > 0 {
		s.planned = min(s.planned, most)
	}
	s.planned++ // the story
	result := s.Play(ctx, withBase(p, plan.Pairs(p, frames, most, p.Seed)))
	result.Unbroken = min(1, result.Runs)
	return result, nil
}
