package runner

import (
	"fmt"
	"slices"
	"strings"

	"redial/harness/check"
	"redial/harness/report"
	"redial/scenarios/catalogue"
)

// Fidelity writes a table of what the same scenarios came to in both labs, as Markdown:
// a row for each scenario, a column for each server. Where the labs agree a cell says
// it once; where they do not, it says what the real one saw, then the virtual one, and
// the row says why. It returns how many rows disagree without a reason.
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

// reasonToDiffer says why the labs may see something else in the scenario, "" if they
// must not: the scenario says so itself, or what it shows is a race's doing.
func reasonToDiffer(id string, real, virtual report.Result) string {
	found, err := catalogue.Find([]string{id})
	if err != nil {
		return ""
	}
	if virtual.Verdict.Outcome == check.Unsupported {
		return virtual.Verdict.Reason
	}
	number := strings.TrimPrefix(real.Column, "step ")
	switch e := found[0].Expect[number]; {
	case real.Verdict.Outcome == check.Inconclusive || virtual.Verdict.Outcome == check.Inconclusive:
		return ""
	case e == catalogue.MayLose || e == catalogue.GoesWrong:
		return "a race decides: " + string(e)
	}
	return ""
}
