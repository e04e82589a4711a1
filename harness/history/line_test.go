package history

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
	"time"

	"redial/harness/plan"
)

func TestReadFillsInTimesAndViews(t *testing.T) {
	got, err := Read(strings.NewReader(`
{"kind":"connected","client":"alice"}
{"at":"3s","kind":"opened","client":"alice"}
{"kind":"shown","client":"alice","message":"one"}
{"kind":"suspended","client":"alice"}
{"kind":"resumed","client":"alice"}
{"kind":"barrier"}
{"kind":"opened","client":"bob","view":7}
{"kind":"shown","client":"bob","message":"one"}
{"kind":"stored","message":"one"}
`))
	if err != nil {
		t.Fatal(err)
	}
	late := plan.Duration(3 * time.Second)
	want := []Event{
		{Kind: Connected, Client: "alice", View: 1},
		{At: late, Kind: Opened, Client: "alice", View: 2},
		{At: late, Kind: Shown, Client: "alice", View: 2, Message: "one"},
		{At: late, Kind: Suspended, Client: "alice", View: 2},
		{At: late, Kind: Resumed, Client: "alice", View: 2},
		{At: late, Kind: Barrier},
		{At: late, Kind: Opened, Client: "bob", View: 7},
		{At: late, Kind: Shown, Client: "bob", View: 7, Message: "one"},
		{At: late, Kind: Stored, Message: "one"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestReadNamesTheField(t *testing.T) {
	for want, text := range map[string]string{
		`there is no field "text"; the fields are at, kind, client`:      `{"kind":"sent","client":"alice","text":"hi"}`,
		`field "at": a duration is written like 1.5s`:                    `{"kind":"note","at":"soon"}`,
		`field "at": it takes a duration, such as "1.5s"`:                `{"kind":"note","at":3}`,
		`field "view": it takes a whole number, not a JSON string`:       `{"kind":"opened","client":"alice","view":"1"}`,
		`field "plan": json: unknown field "cleints"`:                    `{"kind":"began","plan":{"cleints":[]}}`,
		`field "kind": there is no kind "send"; the kinds`:               `{"kind":"send","client":"alice","message":"hi"}`,
		`field "kind": there is no kind ""; the kinds`:                   `{"client":"alice","message":"hi"}`,
		`field "client" is missing: "shown"`:                             `{"kind":"shown","message":"hi"}`,
		`field "message" is missing: "sent"`:                             `{"kind":"sent","client":"alice"}`,
		`field "offset": it takes a whole number, not a JSON number 1.5`: `{"kind":"stored","message":"hi","offset":1.5}`,
		`there is more than one JSON value`:                              `{"kind":"note"}{"kind":"note"}`,
	} {
		_, err := Read(strings.NewReader(`{"kind":"barrier"}` + "\n" + text + "\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2 of the history is no event: "+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// The lab leaves out the field of an empty message, so a missing field is no error.
func TestReadAcceptsAnEmptyMessageOfTheLab(t *testing.T) {
	if _, err := Read(strings.NewReader(`{"at":"0s","kind":"shown","client":"alice","view":1}`)); err != nil {
		t.Error(err)
	}
}

// Without this check, Read would refuse a kind that is declared and not in Kinds.
func TestKindsListsEveryKind(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "history.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Kind" {
				declared += len(spec.Names)
			}
		}
		return true
	})
	if declared != len(Kinds) || declared == 0 {
		t.Errorf("%d kinds are declared and %d listed", declared, len(Kinds))
	}
}
