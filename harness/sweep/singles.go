package sweep

import (
	"context"
	"iter"

	"redial/harness/plan"
)

// Singles plays the story without a fault, and then with every single fault at every frame of
// that run, one for each group of faults that cannot differ. If most is not zero, it plays
// that many, spread evenly.
func (s Sweeper) Singles(ctx context.Context, p plan.Plan, most int) (Result, error) {
	if s.Whole {
		return s.whole(ctx, p, most)
	}
	all, points, err := s.Groups(p)
	if err != nil {
		return Result{}, err
	}
	if most > 0 && most < len(all) {
		for i := range most {
			all[i] = all[i*len(all)/most]
		}
		all = all[:most]
	}
	stoodFor := 0
	result := s.Play(ctx, withBase(p, func(yield func(plan.Plan) bool) {
		for _, group := range all {
			if !yield(group[0]) {
				return
			}
			stoodFor += len(group)
		}
	}))
	result.Points, result.StoodFor = points, stoodFor
	return result, nil
}

// whole is Singles without groups.
func (s Sweeper) whole(ctx context.Context, p plan.Plan, most int) (Result, error) {
	frames, err := s.Frames(p)
	if err != nil {
		return Result{}, err
	}
	points, all := plan.Singles(p, frames, nil), len(plan.Points(p, frames, nil))
	if most > 0 && most < all {
		points = spread(points, all, most)
	}
	result := s.Play(ctx, withBase(p, points))
	result.Points, result.StoodFor = all, max(0, result.Runs-1)
	return result, nil
}

// spread yields most of all plans, at even distances, so that a short sweep still reaches the
// end of the story.
func spread(plans iter.Seq[plan.Plan], all, most int) iter.Seq[plan.Plan] {
	return func(yield func(plan.Plan) bool) {
		index, taken := 0, 0
		for p := range plans {
			if index*most/all >= taken {
				taken++
				if !yield(p) {
					return
				}
			}
			index++
		}
	}
}

// Pairs plays the story without a fault, and then with every two faults. If most is not zero,
// it draws that many pairs with the plan's seed.
func (s Sweeper) Pairs(ctx context.Context, p plan.Plan, most int) (Result, error) {
	frames, err := s.Frames(p)
	if err != nil {
		return Result{}, err
	}
	return s.Play(ctx, withBase(p, plan.Pairs(p, frames, most, p.Seed))), nil
}
