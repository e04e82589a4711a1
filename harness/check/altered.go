package check

import (
	"iter"
	"slices"
)

// An alteration is a message and the phantom that stands in its place.
type alteration struct{ message, phantom int32 }

// alteredAmong says which of the missing messages a list (the log, or a page) has
// altered: a phantom is taken for the first missing message that its sender said
// between what the list has before the phantom and after it. Each phantom stands
// for one message. The missing ones are in the order of facts.said; what was found
// before the run counts as said by one sender.
func (f *facts) alteredAmong(list iter.Seq[int32], missing []int32) []alteration {
	at := make([]int, len(f.messages)) // in the list, from 1; 0 for what is not in it
	var phantoms remaining
	var phantomIDs []int32 // as in phantoms.numbers
	length := 0
	for id := range list {
		length++
		if at[id] == 0 {
			at[id] = length
			if f.phantom[id] {
				phantoms.numbers = append(phantoms.numbers, length)
				phantomIDs = append(phantomIDs, id)
			}
		}
	}
	if len(phantoms.numbers) == 0 || len(missing) == 0 {
		return nil
	}
	above, below := f.neighbours(at, length+1, missing)
	phantoms.reset()
	var altered []alteration
	for i, id := range missing {
		if taken, ok := phantoms.take(above[i], below[i]); ok {
			altered = append(altered, alteration{id, phantomIDs[taken]})
		}
	}
	return altered
}

// neighbours returns for each missing message where the list has what its sender
// said last before it and first after it: 0 and end for nothing.
func (f *facts) neighbours(at []int, end int, missing []int32) (above, below []int) {
	above, below = make([]int, len(missing)), make([]int, len(missing))
	latest := map[int32]int{}
	n := 0
	for _, id := range f.said {
		sender := f.messages[id].sender
		if n < len(missing) && missing[n] == id {
			above[n] = latest[sender]
			n++
		} else if at[id] > 0 && !f.phantom[id] {
			latest[sender] = at[id]
		}
	}
	clear(latest)
	for _, id := range slices.Backward(f.said) {
		sender := f.messages[id].sender
		if n > 0 && missing[n-1] == id {
			n--
			if below[n] = latest[sender]; below[n] == 0 {
				below[n] = end
			}
		} else if at[id] > 0 && !f.phantom[id] {
			latest[sender] = at[id]
		}
	}
	return above, below
}

// remaining is a sorted list of numbers of which each can be taken once.
type remaining struct {
	numbers []int
	skip    []int // by index, one to go on from; the way shortens as it is used
}

func (r *remaining) reset() {
	r.skip = make([]int, len(r.numbers)+1)
	for i := range r.skip {
		r.skip[i] = i
	}
}

// take takes the first number left between two others, both exclusive, and returns its
// index.
func (r *remaining) take(above, below int) (index int, ok bool) {
	i, _ := slices.BinarySearch(r.numbers, above+1)
	for r.skip[i] != i {
		r.skip[i] = r.skip[r.skip[i]]
		i = r.skip[i]
	}
	if i == len(r.numbers) || r.numbers[i] >= below {
		return 0, false
	}
	r.skip[i] = i + 1
	return i, true
}
