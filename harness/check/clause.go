package check

import "fmt"

// A Clause is a part of a sentence about a finding: an English text with verbs of fmt, and
// their arguments. It stays in these parts so that a report can phrase it in another language.
type Clause struct {
	Format string
	// Args are strings, numbers, and Clauses that are part of this one.
	Args []any
}

// clause makes a Clause. The format is a literal at every call: the translations are found
// by it, and their test collects it from this package's source.
func clause(format string, args ...any) Clause { return Clause{format, args} }

func (c Clause) String() string { return c.In(func(format string) string { return format }) }

// In phrases the clause with the translation of each format. A translation takes the same
// arguments; it may change their order by indices (%[2]s).
func (c Clause) In(translation func(format string) string) string {
	args := make([]any, len(c.Args))
	for i, a := range c.Args {
		args[i] = a
		if part, ok := a.(Clause); ok {
			args[i] = part.In(translation)
		}
	}
	return fmt.Sprintf(translation(c.Format), args...)
}

// Clauses returns what was expected and what was observed. They are empty for a finding that
// was read from a file.
func (f Finding) Clauses() (expected, observed Clause) { return f.expected, f.observed }

// ReasonClause returns the reason of an inconclusive outcome. It is empty for any other, and
// for a verdict that was read from a file.
func (v Verdict) ReasonClause() Clause { return v.reason }
