package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// A mutant is one change of the program, which its number in MUTANT enables.
type mutant struct {
	number, line         int
	file, function, what string
}

// name identifies a mutant within its package. It contains no line number, so that an
// explanation remains valid after edits elsewhere in the file.
func (m mutant) name() string { return m.file + " " + m.function + " | `" + m.what + "`" }

// switches is compiled into the mutated package. The mutant of a comparison differs only if
// both sides are equal; the mutant of an addition subtracts, and the reverse.
const switches = `package %s

import (
	"cmp"
	"os"
	"strconv"
)

var mutantOn, _ = strconv.Atoi(os.Getenv("MUTANT"))

func mutant(n int) bool { return n == mutantOn }

func mutantCompare[T cmp.Ordered](n int, result bool, a, b T) bool { return result != (mutant(n) && a == b) }

func mutantLess[T cmp.Ordered](n int, a, b T) bool { return mutantCompare(n, a < b, a, b) }
func mutantLessEqual[T cmp.Ordered](n int, a, b T) bool { return mutantCompare(n, a <= b, a, b) }
func mutantGreater[T cmp.Ordered](n int, a, b T) bool { return mutantCompare(n, a > b, a, b) }
func mutantGreaterEqual[T cmp.Ordered](n int, a, b T) bool { return mutantCompare(n, a >= b, a, b) }

func mutantAdd[T ~int | ~int32 | ~int64 | ~uint64 | ~float64](n int, a, b T) T {
	if mutant(n) {
		return a - b
	}
	return a + b
}

func mutantSubtract[T ~int | ~int32 | ~int64 | ~uint64 | ~float64](n int, a, b T) T {
	if mutant(n) {
		return a + b
	}
	return a - b
}
`

var helpers = map[token.Token]string{
	token.LSS: "mutantLess(", token.LEQ: "mutantLessEqual(", token.GTR: "mutantGreater(", token.GEQ: "mutantGreaterEqual(",
	token.ADD: "mutantAdd(", token.SUB: "mutantSubtract(",
}

// A mutator inserts the switches into a file. Each switch wraps a part of the source, so
// that all mutants compile together: before holds the text to insert before an offset, after
// the text to insert behind it, and instead the text that replaces an operator.
type mutator struct {
	file, source, function string
	files                  *token.FileSet
	mutants                []mutant
	before, after, instead map[int]string
	covered                map[ast.Node]bool // by the mutants of an enclosing expression
}

// mutate adds the mutants of a file to those of its package. It returns the source with the
// switches, and the package's name.
func mutate(file, source string, mutants []mutant) (string, string, []mutant, error) {
	m := &mutator{
		file: file, source: source, files: token.NewFileSet(), mutants: mutants,
		before: map[int]string{}, after: map[int]string{}, instead: map[int]string{}, covered: map[ast.Node]bool{},
	}
	tree, err := parser.ParseFile(m.files, file, source, parser.SkipObjectResolution)
	if err != nil {
		return "", "", nil, err
	}
	for _, declaration := range tree.Decls {
		m.function = "package"
		if f, ok := declaration.(*ast.FuncDecl); ok {
			m.function = f.Name.Name
		}
		ast.Inspect(declaration, m.visit)
	}
	var mutated strings.Builder
	for i := 0; i <= len(source); i++ {
		mutated.WriteString(m.after[i] + m.before[i])
		if operator, ok := m.instead[i]; ok {
			mutated.WriteString(",")
			i += len(operator) - 1
		} else if i < len(source) {
			mutated.WriteByte(source[i])
		}
	}
	return mutated.String(), tree.Name.Name, m.mutants, nil
}

func (m *mutator) visit(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.GenDecl:
		return n.Tok == token.VAR // a switch is not constant
	case *ast.BlockStmt:
		if !m.covered[n] {
			m.statements(n.List)
		}
	case *ast.CommClause:
		m.statements(n.Body)
	case *ast.SwitchStmt:
		for _, clause := range n.Body.List {
			for _, e := range clause.(*ast.CaseClause).List {
				if n.Tag == nil {
					m.condition(e)
				}
			}
		}
	case *ast.CaseClause:
		m.statements(n.Body)
	case *ast.IfStmt:
		m.condition(n.Cond)
		m.covered[n.Body] = n.Else == nil && len(n.Body.List) == 1
	case *ast.ForStmt:
		if n.Cond != nil {
			m.covered[n.Cond] = true
			m.wrap(n.Cond, "for false", "!mutant(%d) && (", ")")
		}
	case *ast.UnaryExpr:
		m.covered[n.X] = m.covered[n]
	case *ast.ParenExpr:
		m.covered[n.X] = m.covered[n]
	case *ast.BinaryExpr:
		m.binary(n)
	case *ast.Ident:
		if n.Name == "true" || n.Name == "false" {
			m.wrap(n, "not "+n.Name, "(mutant(%d) != ", ")")
		}
	}
	return true
}

// condition adds the mutants in which a condition is always true, and always false. A
// condition with two operands gets its mutants from these.
func (m *mutator) condition(e ast.Expr) {
	m.covered[e] = true
	if b, ok := e.(*ast.BinaryExpr); ok && (b.Op == token.LAND || b.Op == token.LOR) {
		return
	}
	m.wrap(e, "true", "(mutant(%d) || (", "))")
	m.wrap(e, "false", "(!mutant(%d) && (", "))")
}

func (m *mutator) binary(n *ast.BinaryExpr) {
	left, right := m.text(n.X), m.text(n.Y)
	switch n.Op {
	case token.LAND, token.LOR:
		m.covered[n.X], m.covered[n.Y] = true, true
		open := "(mutant(%d) || ("
		if n.Op == token.LOR {
			open = "(!mutant(%d) && ("
		}
		// In a && b && c, parsed as (a && b) && c, the operands of the left side get the
		// mutants.
		if b, ok := n.X.(*ast.BinaryExpr); !ok || b.Op != n.Op {
			m.wrapAs(n.X, m.text(n)+" → "+right, open, "))")
		}
		m.wrapAs(n.Y, m.text(n)+" → "+left, open, "))")
	case token.EQL, token.NEQ:
		if !m.covered[n] {
			m.wrap(n, "the opposite", "(mutant(%d) != (", "))")
		}
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		m.operator(n, "the same, or not, where both are equal")
	case token.ADD, token.SUB:
		_, literal := n.Y.(*ast.BasicLit)
		if n.Op == token.SUB || literal && n.Y.(*ast.BasicLit).Kind == token.INT {
			m.operator(n, map[token.Token]string{token.ADD: left + " - " + right, token.SUB: left + " + " + right}[n.Op])
		}
	}
}

func (m *mutator) operator(n *ast.BinaryExpr, what string) {
	m.wrap(n, what, helpers[n.Op]+"%d, ", ")")
	m.instead[m.offset(n.OpPos)] = n.Op.String()
}

// statements adds a mutant without each statement, and one without each lock and its unlock
// together: any test would detect the lack of only one of the two. A return needs no mutant
// of its own, because its condition has one.
func (m *mutator) statements(list []ast.Stmt) {
	for i, s := range list {
		if lock, ok := strings.CutSuffix(m.text(s), ".Lock()"); ok {
			at := slices.IndexFunc(list[i:], func(s ast.Stmt) bool { return strings.TrimPrefix(m.text(s), "defer ") == lock+".Unlock()" })
			if at > 0 {
				m.wrap(s, "no lock", "if !mutant(%d) { ", " }")
				m.insert(list[i+at], fmt.Sprintf("if !mutant(%d) { ", len(m.mutants)), " }")
			}
			continue
		}
		if strings.HasSuffix(m.text(s), ".Unlock()") || strings.HasPrefix(m.text(s), "panic(") {
			continue
		}
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt, *ast.IncDecStmt, *ast.RangeStmt, *ast.BranchStmt:
		default:
			continue
		}
		m.wrap(s, "nothing", "if !mutant(%d) { ", " }")
	}
}

func (m *mutator) wrap(n ast.Node, what, open, end string) {
	m.wrapAs(n, m.text(n)+" → "+what, open, end)
}

func (m *mutator) wrapAs(n ast.Node, what, open, end string) {
	one := mutant{number: len(m.mutants) + 1, line: m.files.Position(n.Pos()).Line, file: m.file, function: m.function, what: short(what)}
	base := one.what
	for n := 2; slices.ContainsFunc(m.mutants, func(o mutant) bool { return o.name() == one.name() }); n++ {
		one.what = fmt.Sprintf("%s (%d)", base, n)
	}
	m.mutants = append(m.mutants, one)
	m.insert(n, fmt.Sprintf(open, one.number), end)
}

// insert places a wrapper inside all wrappers that were inserted before.
func (m *mutator) insert(n ast.Node, open, end string) {
	from, to := m.offset(n.Pos()), m.offset(n.End())
	m.before[from] += open
	m.after[to] = end + m.after[to]
}

func (m *mutator) text(n ast.Node) string   { return m.source[m.offset(n.Pos()):m.offset(n.End())] }
func (m *mutator) offset(pos token.Pos) int { return m.files.Position(pos).Offset }

// short returns one line that fits a table cell.
func short(what string) string {
	before, after, _ := strings.Cut(strings.Join(strings.Fields(what), " "), " → ")
	if runes := []rune(before); len(runes) > 70 {
		before = string(runes[:45]) + "…" + string(runes[len(runes)-24:])
	}
	return strings.ReplaceAll(before+" → "+after, "|", `\|`)
}
