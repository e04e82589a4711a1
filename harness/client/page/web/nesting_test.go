package web

import (
	"context"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

func TestTooDeeplyNestedTextIsRefused(t *testing.T) {
	w, err := New(Options{URL: "http://127.0.0.1/"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(nil)
	for name, c := range map[string]struct{ text, want string }{
		"too deep":       {strings.Repeat("[", 5<<20), "TypeError: nested more than 10000 deep"},
		"as deep as may": {strings.Repeat("[", deepestNesting) + strings.Repeat("]", deepestNesting), "parsed"},
		"in a string":    {`"` + strings.Repeat(`\"[`, 2*deepestNesting) + `"`, "parsed"},
		"one by one":     {"[" + strings.Repeat("[],", 2*deepestNesting) + "[]]", "parsed"},
		"no JSON":        {"{", "SyntaxError"},
		"with a reviver": {`{"a": 1}`, "parsed"},
		"nothing":        {"", "SyntaxError"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			err := w.Do(context.Background(), func(vm *goja.Runtime) {
				_ = vm.Set("text", c.text)
				value, err := vm.RunString(`try { JSON.parse(text, (key, value) => value); "parsed" } catch (e) { String(e) }`)
				if err != nil {
					t.Error(err)
					return
				}
				got = value.String()
			})
			if err != nil || !strings.HasPrefix(got, c.want) {
				t.Errorf("%v, %.200q; want %q", err, got, c.want)
			}
		})
	}
	if _, err := Compile("deep.js", []byte(strings.Repeat("(", 5<<20))); err == nil || !strings.Contains(err.Error(), "deep.js is nested more than") {
		t.Errorf("a deep script: %.200v", err)
	}
}
