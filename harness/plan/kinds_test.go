package plan

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// Every declared fault kind and action needs a row: without one, a plan with it could be
// neither validated nor described.
func TestEveryKindHasItsRow(t *testing.T) {
	for _, kind := range declared(t, "fault.go", "FaultKind") {
		row, ok := FaultKind(kind).row()
		if !ok || row.story == nil {
			t.Errorf("%s has no row in faultKinds, or no story", kind)
			continue
		}
		f := Fault{Kind: row.kind, Client: "bob", BytesPerSecond: 1, Idle: 1}
		if err := f.validate(map[string]bool{"bob": true}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if story := f.happens(); story == kind || strings.HasSuffix(story, ".") {
			t.Errorf("%s is told as %q", kind, story)
		}
		if event := row.kind.Event(); event == "" || event == kind {
			t.Errorf("%s is listed as %q", kind, event)
		}
		if row.lasts && row.where != onLink || row.blocks && !row.lasts || row.ends && row.lasts || row.unnoticed && !row.ends {
			t.Errorf("%s contradicts itself: %+v", kind, row)
		}
	}
	for _, action := range declared(t, "plan.go", "Action") {
		row, ok := Action(action).row()
		if !ok || row.story == nil {
			t.Errorf("%s has no row in actions, or no story", action)
			continue
		}
		s := Step{Do: row.action, Client: "bob", Node: "a", Text: "hello", For: 1, Fault: &Fault{Kind: Cut, Client: "bob"}}
		if err := s.validate(map[string]bool{"bob": true}); err != nil {
			t.Errorf("%s: %v", action, err)
		}
		if row.noticed && !row.disconnects {
			t.Errorf("%s disconnects no client that could notice it", action)
		}
		if row.names == aClient && (Step{Do: row.action}).validate(nil) == nil {
			t.Errorf("%s names a client, and is valid without one", action)
		}
		if _, ok := row.endedBy.row(); row.endedBy != "" && !ok {
			t.Errorf("%s is ended by %s, which there is not", action, row.endedBy)
		}
	}
}

// declared returns the values of the constants of a type in a file, so that a new constant
// cannot be missed.
func declared(t *testing.T, file, kind string) (values []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == kind {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	if len(values) < 10 {
		t.Fatalf("only %d constants of type %s in %s", len(values), kind, file)
	}
	return values
}
