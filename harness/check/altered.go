package check

import (
	"iter"
	"slices"
)

// An alteration is a message and the phantom that stands in its place.
type alteration struct{ message, phantom int32 }

// alteredAmong finds the missing messages that a list (the log, or a page) holds in altered
// form: a phantom stands for the first missing message that a sender sent between two of its
// messages around the phantom in the list. Each phantom stands for one message. The missing
// messages are in the order of facts.sendOrder; rows found before the run count as the
// messages of one sender.
func (f *facts) alteredAmong(list iter.Seq[int32], missing []int32) []alteration {
	at := make([]int, len(f.messages)) // the place in the list, from 1; 0 for a message outside of it
	var phantoms remaining
	var phantomIDs []int32 // parallel to phantoms.numbers
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

// neighbours returns, for each missing message, the places in the list of its sender's last
// message before it and first message after it; 0 and end where there is none.
func (f *facts) neighbours(at []int, end int, missing []int32) (above, below []int) {
	above, below = make([]int, len(missing)), make([]int, len(missing))
	latest := map[int32]int{}
	n := 0
	for _, id := range f.sendOrder {
		sender := f.messages[id].sender
		if n < len(missing) && missing[n] == id {
			above[n] = latest[sender]
			n++
		} else if at[id] > 0 && !f.phantom[id] {
			latest[sender] = at[id]
		}
	}
	clear(latest)
	for _, id := range slices.Backward(f.sendOrder) {
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
	skip    []int // by index, the next one to look at; each search shortens the path
}

func (r *remaining) reset() {
	r.skip = make([]int, len(r.numbers)+1)
	for i := range r.skip {
		r.skip[i] = i
	}
}

// take removes the first remaining number between two others, both exclusive, and returns
// its index.
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
