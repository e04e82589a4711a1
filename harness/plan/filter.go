package plan

import (
	"slices"
)

// filter returns the plan with the faults and steps that stay, in new slices, and
// without the awaits for what is not there any more.
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

// offer is what awaits may wait for: faults by ID, and steps that say something.
type offer struct {
	faults map[string]bool
	said   []Step
}

func (p Plan) offers() offer {
	o := offer{faults: map[string]bool{}}
	for _, f := range p.Faults {
		o.faults[f.ID] = true
	}
	for _, step := range p.Script {
		if step.Fault != nil {
			o.faults[step.Fault.ID] = true
		}
		if step.Do == Say || step.Do == Chatter {
			o.said = append(o.said, step)
		}
	}
	return o
}

// gives tells whether step awaits something by name that is there.
func (o offer) gives(step Step) bool {
	switch {
	case step.Do == AwaitFault:
		return o.faults[step.Text]
	case step.Do == AwaitShown && step.Text != "":
		return slices.ContainsFunc(o.said, func(said Step) bool { return said.says(step.Text) })
	}
	return false
}
