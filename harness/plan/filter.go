package plan

import (
	"slices"
)

// filter returns the plan with the faults and steps that are kept, in new slices, and without
// the awaits for a fault or a message that was removed.
func (p Plan) filter(fault func(int, Fault) bool, step func(int, Step) bool) Plan {
	smaller := p
	smaller.Faults, smaller.Script = nil, nil
	for i, f := range p.Faults {
		if fault(i, f) {
			smaller.Faults = append(smaller.Faults, f)
		}
	}
	for i, st := range p.Script {
		if step(i, st) {
			smaller.Script = append(smaller.Script, st)
		}
	}
	before, after := p.offers(), smaller.offers()
	smaller.Script = slices.DeleteFunc(smaller.Script, func(st Step) bool {
		return before.gives(st) && !after.gives(st)
	})
	return smaller
}

// An offer has everything that Await steps can wait for: faults by ID, and steps that send.
type offer struct {
	faults map[string]bool
	sent   []Step
}

func (p Plan) offers() offer {
	o := offer{faults: map[string]bool{}}
	for _, f := range p.AllFaults() {
		o.faults[f.ID] = true
	}
	for _, step := range p.Script {
		if step.Do == Send || step.Do == StartSending {
			o.sent = append(o.sent, step)
		}
	}
	return o
}

// gives reports whether the offer has the fault or text that the step awaits.
func (o offer) gives(step Step) bool {
	switch {
	case step.Do == AwaitFault:
		return o.faults[step.Text]
	case step.Do == AwaitShown && step.Text != "":
		return slices.ContainsFunc(o.sent, func(sent Step) bool { return sent.sends(step.Text) })
	}
	return false
}
