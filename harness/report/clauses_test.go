package report

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"redial/harness/check"
	"redial/harness/contract"
)

// waits are details of timed-out waits in the lab, which a reason quotes from the history.
var waits = []string{"everyone is connected", "connected: everyone", "disconnected: everyone", "everyone shows the message of a new client"}

// formatsOfCheck returns the format of every clause that package check can make.
func formatsOfCheck(t *testing.T) []string {
	t.Helper()
	var formats []string
	inspectFiles(t, "../check/*.go", func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "clause" {
			return true
		}
		literal, ok := call.Args[0].(*ast.BasicLit)
		if !ok {
			t.Error("a call of clause has no literal as its format")
			return true
		}
		format, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		formats = append(formats, format)
		return true
	})
	return slices.Compact(slices.Sorted(slices.Values(formats)))
}

// inspectFiles inspects the syntax of the Go files.
func inspectFiles(t *testing.T, pattern string, inspect func(ast.Node) bool) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, inspect)
	}
}

func TestEveryClauseOfAFindingIsInEveryLanguage(t *testing.T) {
	formats := append(formatsOfCheck(t), waits...)
	for _, level := range contract.Levels {
		formats = append(formats, string(level))
	}
	if len(formats) < 50 {
		t.Fatalf("package check has only the clauses %q", formats)
	}
	for _, format := range formats {
		var args []any
		for n, v := range strings.Split(format, "%")[1:] {
			switch v[0] {
			case 'd':
				args = append(args, 1000+n)
			case 's', 'q':
				args = append(args, fmt.Sprint("argument", n))
			default:
				t.Fatalf("%q has a verb that this test does not know", format)
			}
		}
		text := check.Clause{Format: format, Args: args}.In(Korean.clause)
		for _, a := range args {
			if strings.Count(text, fmt.Sprint(a)) != 1 {
				t.Errorf("%q does not say %v in Korean: %q", format, a, text)
			}
		}
		hangul := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Hangul, r) })
		if strings.Contains(text, "%!") || !hangul && format != " (%s)" {
			t.Errorf("%q is in Korean %q", format, text)
		}
	}
	for format := range maps.Keys(clauseWords[Korean]) {
		if !slices.Contains(formats, format) {
			t.Errorf("no clause has the format %q", format)
		}
	}
}
