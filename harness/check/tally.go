package check

import "time"

// A Tally sums up runs.
type Tally struct {
	// Runs counts the runs. Unfired counts those whose planned fault never reached its frame,
	// so that they show nothing; Undecided counts those without a verdict for another reason.
	Runs, Unfired, Undecided int
	FaultsFired              int
	// Lost, Duplicated and Reordered count messages over all runs.
	Lost, Duplicated, Reordered int
	// Took is wall-clock time, and Virtual is time on the virtual lab's clock.
	Took, Virtual time.Duration
}

// Tally is the sum of the one run that was judged.
func (v Verdict) Tally() Tally {
	return Tally{Runs: 1, FaultsFired: v.FaultsFired, Lost: v.Lost, Duplicated: v.Duplicated, Reordered: v.Reordered}
}

// Add adds the sums of other runs.
func (t *Tally) Add(other Tally) {
	t.Runs += other.Runs
	t.Unfired += other.Unfired
	t.Undecided += other.Undecided
	t.FaultsFired += other.FaultsFired
	t.Lost += other.Lost
	t.Duplicated += other.Duplicated
	t.Reordered += other.Reordered
	t.Took += other.Took
	t.Virtual += other.Virtual
}
