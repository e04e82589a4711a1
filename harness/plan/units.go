package plan

import (
	"strconv"
	"strings"
)

// sends reports whether the step sends the text, perhaps among others.
func (s Step) sends(text string) bool {
	if s.Do == Send && s.Count <= 1 {
		return text == s.Text
	}
	number, ok := strings.CutPrefix(text, s.Text+" ")
	n, err := strconv.Atoi(number)
	return ok && err == nil && strconv.Itoa(n) == number && n >= 1 && (s.Count == 0 || n <= s.Count)
}

// last returns the last text that the step sends; "" if it sends without end.
func (s Step) last() string {
	if s.Do == Send && s.Count <= 1 {
		return s.Text
	}
	return s.numbered(s.Count)
}

// unitsOf sorts a script's steps into units, by index: a step that starts an effect, the step
// that ends it, and the awaits for clients to notice it. Every step is in one unit.
func unitsOf(script []Step) [][]int {
	taken := make([]bool, len(script))
	var units [][]int
	for i, step := range script {
		if taken[i] {
			continue
		}
		unit := []int{i}
		for j := i + 1; j < len(script); j++ {
			if taken[j] {
				continue
			}
			if ends(step, script[j]) {
				unit = append(unit, j)
				taken[j] = true
				break
			}
			if starts(step, script[j]) {
				break
			}
			if noticed(step, script[j]) {
				unit = append(unit, j)
				taken[j] = true
			}
		}
		units = append(units, unit)
	}
	return units
}

// subject returns the client that a step acts on; "" for the server or every client.
func (s Step) subject() string {
	if s.Fault != nil {
		return s.Fault.Client
	}
	return s.Client
}

// ends reports whether the second step ends the effect of the first.
func ends(first, second Step) bool {
	if first.subject() != second.subject() || first.Node != second.Node {
		return false
	}
	if row, _ := first.Do.row(); row.endedBy != "" {
		return second.Do == row.endedBy
	}
	return first.Do == Break && first.Fault.Kind.Lasts() && first.Fault.For == 0 && second.Do == Break && second.Fault.Kind == Heal
}

func breaks(s Step) bool { row, _ := s.Do.row(); return row.breaks }

// starts reports whether the second step begins a unit of its own, so that steps after it no
// longer belong to the first: it has the same action, or breaks the same subject.
func starts(first, second Step) bool {
	return first.subject() == second.subject() && first.Node == second.Node && (second.Do == first.Do || breaks(second))
}

// noticed reports whether the second step waits until clients notice the first.
func noticed(first, second Step) bool {
	if second.Do != AwaitDisconnected {
		return false
	}
	row, _ := first.Do.row()
	return row.noticed && (row.names == noClient || second.Client == first.subject())
}
