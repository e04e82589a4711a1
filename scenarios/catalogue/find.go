package catalogue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Find returns the catalogue's scenarios with the IDs or row numbers, or all of them if ids is
// empty.
func Find(ids []string) ([]Scenario, error) { return FindIn(All, ids) }

// FindIn is Find among these rows.
func FindIn(rows []Scenario, ids []string) ([]Scenario, error) {
	if len(ids) == 0 {
		return rows, nil
	}
	var found []Scenario
	for _, id := range ids {
		id = strings.TrimSpace(id)
		known := false
		for _, s := range rows {
			if s.ID != id && fmt.Sprint(s.Row) != id {
				continue
			}
			known = true
			if !slices.ContainsFunc(found, func(other Scenario) bool { return other.ID == s.ID }) {
				found = append(found, s)
			}
		}
		if !known {
			return nil, fmt.Errorf("there is no scenario %q; `redial list` shows them all", id)
		}
	}
	return found, nil
}

// Sample draws n rows by the seed, and adds those that only the real lab can play.
func Sample(seed uint64, n int) (rows []Scenario) {
	random := rand.New(rand.NewPCG(seed, 's'))
	drawn, left := map[string]bool{}, n
	for _, i := range random.Perm(len(All)) {
		s := All[i]
		switch {
		case s.RealOnly != "", s.Cluster:
			drawn[s.ID] = true
		case s.Needs == "" && left > 0:
			drawn[s.ID] = true
			left--
		}
	}
	for _, s := range All {
		if drawn[s.ID] {
			rows = append(rows, s)
		}
	}
	return rows
}
