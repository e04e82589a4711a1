package runner

import (
	"fmt"
	"slices"
	"strings"

	"redial/harness/check"
	"redial/harness/report"
	"redial/scenarios/catalogue"
)

// Fidelity returns a Markdown table of the outcomes of the same scenarios in both labs, with a
// row for each scenario and a column for each server. Where the labs differ, a cell has the
// outcome of the real lab and then that of the virtual one, and the row has the reason.
// unexplained counts the cells that differ without a reason.
func Fidelity(real, virtual []report.Result) (table string, unexplained int) {
	type key struct{ id, column string }
	other := map[key]report.Result{}
	var columns, ids []string
	for _, r := range virtual {
		other[key{r.ID, r.Column}] = r
	}
	byKey := map[key]report.Result{}
	for _, r := range real {
		if !slices.Contains(columns, r.Column) {
			columns = append(columns, r.Column)
		}
		if !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
		byKey[key{r.ID, r.Column}] = r
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| # | scenario | %s | where the labs differ |\n", strings.Join(columns, " | "))
	fmt.Fprintf(&b, "|---|---|%s---|\n", strings.Repeat("---|", len(columns)))
	for _, id := range ids {
		row, why := byKey[key{id, columns[0]}].Row, ""
		fmt.Fprintf(&b, "| %d | %s |", row, id)
		for _, column := range columns {
			r, v := byKey[key{id, column}], other[key{id, column}]
			cell := r.Letters()
			if r.Letters() != v.Letters() {
				cell += " / " + v.Letters()
				why = reasonToDiffer(id, r, v)
				if why == "" {
					why = "**not explained**"
					unexplained++
				}
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		fmt.Fprintf(&b, " %s |\n", why)
	}
	return b.String(), unexplained
}

// reasonToDiffer tells why the outcomes of the labs may differ in the scenario, and is "" if
// they may not. The virtual lab may not be able to play it, or a race may decide the outcome.
func reasonToDiffer(id string, real, virtual report.Result) string {
	found, err := catalogue.Find([]string{id})
	if err != nil {
		return ""
	}
	if virtual.Verdict.Outcome == check.Unsupported {
		return virtual.Verdict.Reason
	}
	for _, v := range []check.Verdict{real.Verdict, virtual.Verdict} {
		if v.Outcome == check.Inconclusive && strings.HasPrefix(strings.TrimPrefix(v.Reason, notPlayed), byInterrupt) {
			return v.Reason
		}
	}
	number := strings.TrimPrefix(real.Column, "step ")
	switch e := found[0].Expect[number]; {
	case real.Verdict.Outcome == check.Inconclusive || virtual.Verdict.Outcome == check.Inconclusive:
		return ""
	case e == catalogue.MayLose:
		return "a race decides: " + string(e)
	}
	return ""
}
