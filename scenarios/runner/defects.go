package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/servers"
)

// A Kill is the result of a defect in its scenario.
type Kill struct {
	Defect defect.Defect
	Result report.Result
}

// Blamed is the rule that caught the defect: the first must that is broken, or, in a run
// that passes, the first should. It is empty where no rule is broken.
func (k Kill) Blamed() contract.RuleID {
	switch v := k.Result.Verdict; {
	case k.Result.Outcome() == check.Fail:
		return v.Rule()
	case k.Result.Outcome() == check.Pass && len(v.Findings) > 0:
		return v.Findings[0].Rule
	}
	return ""
}

// Caught tells whether the expected rule caught the defect before any other rule.
func (k Kill) Caught() bool { return k.Blamed() == k.Defect.Rule }

// Defects plays each defect in its scenario, in the lab of the options, without those
// that only the other lab can show.
func Defects(ctx context.Context, which []defect.Defect, options Options) (kills []Kill, err error) {
	var cells []Cell
	for _, d := range which {
		if elsewhere := d.VirtualOnly && options.Lab == lab.Real || d.Cluster && options.Lab == lab.Virtual; elsewhere {
			continue
		}
		server, err := servers.Broken(d)
		if err != nil {
			return nil, err
		}
		row, err := catalogue.Find([]string{d.Scenario})
		if err != nil {
			return nil, err
		}
		cells = append(cells, Cell{row[0], server})
		kills = append(kills, Kill{Defect: d})
	}
	if len(cells) == 0 {
		return nil, errors.New("none of these defects can be shown in every run of this lab: play them in the other one (--lab)")
	}
	results, err := playAll(ctx, cells, options)
	for i, result := range results {
		kills[i].Result = result
	}
	return kills[:len(results)], err
}

// DefectTable is a Markdown table of the defects and the rules that caught them, and one of those
// that need several servers, with the rules that must catch them. It does not depend on the seed.
func DefectTable(kills []Kill) string {
	var b strings.Builder
	b.WriteString("| defect | what is wrong | where from | scenario |")
	for _, rule := range contract.Rules {
		fmt.Fprintf(&b, " %s |", rule.ID)
	}
	b.WriteString("\n|---|---|---|---|" + strings.Repeat(":-:|", len(contract.Rules)) + "\n")
	for _, k := range kills {
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |", k.Defect.Name, k.Defect.Sentence, k.Defect.Source, k.Defect.Scenario)
		for _, rule := range contract.Rules {
			mark := ""
			if k.Blamed() == rule.ID {
				mark = "✗"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## Two servers that share a log, in the real lab\n\n| defect | what is wrong | where from | scenario | rule |\n|---|---|---|---|---|\n")
	for _, d := range defect.All {
		if d.Cluster {
			fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` | %s |\n", d.Name, d.Sentence, d.Source, d.Scenario, d.Rule)
		}
	}
	return b.String()
}

// A DefectResult is what redial defects --json writes of one defect.
type DefectResult struct {
	// Name and Sentence say what is broken on purpose, Source where it comes from.
	Name     string `json:"name"`
	Sentence string `json:"sentence"`
	Source   string `json:"source"`
	// Level is the promise that the server claims, Scenario where the defect shows.
	Level    contract.Level `json:"level"`
	Scenario string         `json:"scenario"`
	// Rule is the one that must catch it, Blamed the one that did.
	Rule   contract.RuleID `json:"rule"`
	Blamed contract.RuleID `json:"blamed,omitempty"`
	// Caught tells whether these two are the same.
	Caught bool `json:"caught"`
	// Counts is how often each rule was broken, and Reason the first finding.
	Counts map[contract.RuleID]int `json:"counts,omitempty"`
	Reason string                  `json:"reason,omitempty"`
}

// A DefectReport is what redial defects --json writes.
type DefectReport struct {
	// Lab is where they were played.
	Lab string `json:"lab"`
	// Seed is that of every run.
	Seed uint64 `json:"seed"`
	// Defects has one entry for each; the reason of one that was not played says so.
	Defects []DefectResult `json:"defects"`
}

// DefectReportOf is the report on the results of defects.
func DefectReportOf(kills []Kill, in lab.Lab, seed uint64) DefectReport {
	all := DefectReport{Lab: in.String(), Seed: seed}
	for _, k := range kills {
		d := k.Defect
		all.Defects = append(all.Defects, DefectResult{d.Name, d.Sentence, d.Source, d.Level, d.Scenario, d.Rule,
			k.Blamed(), k.Caught(), k.Result.Verdict.Counts, k.Result.Verdict.Reason})
	}
	return all
}
