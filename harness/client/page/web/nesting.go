package web

import (
	"fmt"

	"github.com/dop251/goja"
)

// deepestNesting bounds what is parsed: the VM parses with recursion on Go's stack, and a
// stack that is used up ends the process, without an exception that could be caught. A
// browser takes deeper JSON; Go's own parser has the same bound.
const deepestNesting = 10_000

// boundJSON makes JSON.parse throw at what is nested too deeply.
func (w *Window) boundJSON() error {
	object := w.vm.GlobalObject().Get("JSON").ToObject(w.vm)
	parse, _ := goja.AssertFunction(object.Get("parse"))
	return object.Set("parse", func(call goja.FunctionCall) goja.Value {
		if err := nesting(call.Argument(0).String(), true); err != nil {
			panic(w.vm.NewTypeError(err.Error()))
		}
		value, err := parse(call.This, call.Arguments...)
		if err != nil {
			panic(err)
		}
		return value
	})
}

// nesting is an error for brackets that are nested too deeply. In a script, where only a
// parser knows what is a string, those in strings count too: far fewer than the bound.
func nesting(text string, isJSON bool) error {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case isJSON && c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{' || c == '(':
			if depth++; depth > deepestNesting {
				return fmt.Errorf("nested more than %d deep", deepestNesting)
			}
		case c == ']' || c == '}' || c == ')':
			depth--
		}
	}
	return nil
}
