package plan

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Shrink returns the smallest plan that it finds for which fails is still true. It removes
// faults, then clients with their steps and faults, then steps, then lowers counts, times and
// frame numbers, and repeats this until nothing can be removed or lowered any more. No single
// fault, client or step (with the awaits for it) can be removed from the result, unless the
// budget or ctx ended the search early.
//
// p is a plan that fails. fails is called at most budget times, never twice with the same
// plan, and only with valid plans. If p passes [Plan.ValidateEnd], every plan that fails is
// called with passes it too, so that a lost message does not become a link that is never
// healed. fails must always return the same result for the same plan. Its result does not
// count once ctx is done. Faults keep the IDs that [Plan.WithFaultIDs] gives them.
//
// The method is delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating
// Failure-Inducing Input", 2002) over the plan's own parts. The shrinking of package rapid
// does not apply, because it reduces only the draws of its generators, and not a plan that was
// saved or enumerated.
func Shrink(ctx context.Context, p Plan, fails func(Plan) bool, budget int) Plan {
	p = p.WithFaultIDs()
	s := &shrinker{ctx: ctx, fails: fails, budget: budget, best: p, tried: map[string]bool{}}
	s.rests = p.ValidateEnd() == nil
	s.tried[key(p)] = true
	passes := []func(){s.faults, s.clients, s.moves, s.steps, s.background, s.counts, s.times, s.frames}
	for smaller := true; smaller && !s.over(); {
		before := key(s.best)
		for _, pass := range passes {
			pass()
		}
		smaller = key(s.best) != before
	}
	return s.best
}

// A shrinker looks for a smaller plan than best.
type shrinker struct {
	ctx    context.Context
	fails  func(Plan) bool
	budget int
	best   Plan
	rests  bool // the first plan passes ValidateEnd, so every other one has to
	tried  map[string]bool
}

func key(p Plan) string {
	text, err := json.Marshal(p)
	if err != nil {
		panic("plan: a plan that cannot be written as JSON: " + err.Error())
	}
	return string(text)
}

func (s *shrinker) over() bool { return s.budget <= 0 || s.ctx.Err() != nil }

// try makes the candidate the best plan if it still fails.
func (s *shrinker) try(candidate Plan) bool {
	if s.over() || candidate.Validate() != nil || s.rests && candidate.ValidateEnd() != nil {
		return false
	}
	k := key(candidate)
	if s.tried[k] {
		return false
	}
	s.tried[k] = true
	s.budget--
	if !s.fails(candidate) || s.ctx.Err() != nil {
		return false
	}
	s.best = candidate
	return true
}

// ---- removing parts

// reduce removes as many of the units 0 to count-1 as it can: runs of them, from the longest
// to single units. build makes the plan with only the kept units of the plan that was the best
// when reduce began.
func (s *shrinker) reduce(count int, build func(kept map[int]bool) Plan) {
	kept := make([]int, count)
	for i := range kept {
		kept[i] = i
	}
	for size := count; size > 0; size /= 2 {
		for start := 0; start < len(kept) && !s.over(); {
			end := min(start+size, len(kept))
			fewer := slices.Delete(slices.Clone(kept), start, end)
			if s.try(build(add(map[int]bool{}, fewer))) {
				kept = fewer
			} else {
				start = end
			}
		}
	}
}

// faults removes armed faults, and steps that break something together with the steps that
// heal it.
func (s *shrinker) faults() {
	base := s.best
	armed := len(base.Faults)
	var breaking [][]int
	for _, unit := range unitsOf(base.Script) {
		if breaks(base.Script[unit[0]]) {
			breaking = append(breaking, unit)
		}
	}
	s.reduce(armed+len(breaking), func(kept map[int]bool) Plan {
		gone := map[int]bool{}
		for i, unit := range breaking {
			if !kept[armed+i] {
				gone = add(gone, unit)
			}
		}
		return base.filter(
			func(i int, _ Fault) bool { return kept[i] },
			func(i int, _ Step) bool { return !gone[i] })
	})
}

func add(set map[int]bool, numbers []int) map[int]bool {
	for _, n := range numbers {
		set[n] = true
	}
	return set
}

// clients removes clients with their steps and the faults of their links and pages.
func (s *shrinker) clients() {
	base := s.best
	s.reduce(len(base.Clients), func(kept map[int]bool) Plan {
		stays := map[string]bool{"": true}
		p := base
		p.Clients = nil
		for i, c := range base.Clients {
			if kept[i] {
				stays[c.Name] = true
				p.Clients = append(p.Clients, c)
			}
		}
		hits := func(f Fault) bool { return !stays[f.Client] || !stays[f.At.Client] }
		return p.filter(
			func(_ int, f Fault) bool { return !hits(f) },
			func(_ int, step Step) bool {
				return stays[step.Client] && (step.Fault == nil || !hits(*step.Fault))
			})
	})
}

// moves removes steps together with the steps of their unit.
func (s *shrinker) moves() {
	base := s.best
	units := unitsOf(base.Script)
	s.reduce(len(units), func(kept map[int]bool) Plan {
		stay := map[int]bool{}
		for i := range kept {
			stay = add(stay, units[i])
		}
		return base.filter(
			func(int, Fault) bool { return true },
			func(i int, _ Step) bool { return stay[i] })
	})
}

// steps removes single steps, whichever unit they belong to.
func (s *shrinker) steps() {
	base := s.best
	s.reduce(len(base.Script), func(kept map[int]bool) Plan {
		return base.filter(
			func(int, Fault) bool { return true },
			func(i int, _ Step) bool { return kept[i] })
	})
}

// ---- lowering values in the remaining parts

// background replaces messages sent in the background by a few sent at once, which are
// easier to follow.
func (s *shrinker) background() {
	const few = 10
	for i := 0; i < len(s.best.Script); i++ {
		step := s.best.Script[i]
		if step.Do != StartSending {
			continue
		}
		p := s.best.clone()
		p.replace(i, Step{Do: Send, Client: step.Client, Text: step.Text, Count: few})
		stop := slices.IndexFunc(p.Script[i:], func(other Step) bool { return ends(step, other) })
		if stop >= 0 {
			p.Script = slices.Delete(p.Script, i+stop, i+stop+1)
		}
		s.try(p)
	}
}

// counts lowers the numbers of messages that are sent or awaited.
func (s *shrinker) counts() {
	for i, step := range s.best.Script {
		s.lower(step.Count, func(p *Plan, n int) {
			fewer := p.Script[i]
			fewer.Count = n
			p.replace(i, fewer)
		})
	}
}

// replace replaces the i-th step. If the new step no longer sends a text that another step
// awaits, that step then awaits the last text of the new one.
func (p *Plan) replace(i int, by Step) {
	was := p.Script[i]
	p.Script[i] = by
	if was.Do != Send && was.Do != StartSending {
		return
	}
	for j, step := range p.Script {
		if step.Do == AwaitShown && was.sends(step.Text) && !by.sends(step.Text) {
			p.Script[j].Text = by.last()
		}
	}
}

// times shortens waits and lasting faults to a time that is easy to read.
func (s *shrinker) times() {
	for i := range s.best.Script {
		s.shorten(func(p *Plan) *Duration { return &p.Script[i].For })
		if s.best.Script[i].Fault == nil {
			continue
		}
		s.shorten(func(p *Plan) *Duration { return &p.Script[i].Fault.For })
		s.shorten(func(p *Plan) *Duration { return &p.Script[i].Fault.Delay })
	}
	for i := range s.best.Faults {
		s.shorten(func(p *Plan) *Duration { return &p.Faults[i].For })
		s.shorten(func(p *Plan) *Duration { return &p.Faults[i].Delay })
	}
}

// shorten tries 1 ms, 2 ms, 5 ms, 10 ms, … up to the present time.
func (s *shrinker) shorten(field func(*Plan) *Duration) {
	now := *field(&s.best)
	for tenfold := Duration(time.Millisecond); tenfold < now; tenfold *= 10 {
		for _, d := range []Duration{tenfold, 2 * tenfold, 5 * tenfold} {
			if d >= now {
				return
			}
			p := s.best.clone()
			*field(&p) = d
			if s.try(p) {
				return
			}
		}
	}
}

// frames lowers the numbers of the frames, and of the connections, that faults wait
// for.
func (s *shrinker) frames() {
	for i := range s.best.Faults {
		s.earlier(func(p *Plan) *Frame { return &p.Faults[i].At })
	}
	for i := range s.best.Script {
		if s.best.Script[i].Do == Arm {
			s.earlier(func(p *Plan) *Frame { return &p.Script[i].Fault.At })
		}
	}
}

func (s *shrinker) earlier(at func(*Plan) *Frame) {
	s.lower(at(&s.best).Number, func(p *Plan, n int) { at(p).Number = n })
	s.lower(at(&s.best).Connection, func(p *Plan, n int) { at(p).Connection = n })
}

// lower looks for a number smaller than now with which the plan still fails. It tries the
// first few from 1 up, and then bisects the rest, which finds the smallest number if all above
// it fail too.
func (s *shrinker) lower(now int, set func(*Plan, int)) {
	const oneByOne = 4
	try := func(n int) bool {
		p := s.best.clone()
		set(&p, n)
		return s.try(p)
	}
	below := 0 // the greatest number that is known not to fail
	for n := 1; n < now && n <= oneByOne; n++ {
		if try(n) {
			return
		}
		below = n
	}
	for now-below > 1 && !s.over() {
		if middle := below + (now-below)/2; try(middle) {
			now = middle
		} else {
			below = middle
		}
	}
}

// clone copies a plan with everything that a shrinker changes.
func (p Plan) clone() Plan {
	p.Faults = slices.Clone(p.Faults)
	p.Script = slices.Clone(p.Script)
	for i, step := range p.Script {
		if step.Fault != nil {
			f := *step.Fault
			p.Script[i].Fault = &f
		}
	}
	return p
}
