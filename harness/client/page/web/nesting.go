package web

import (
	"fmt"

	"github.com/dop251/goja"
)

// deepestNesting bounds the nesting of parsed text: the VM's parser is recursive, and a stack overflow
// ends the process without an error that could be caught. A browser accepts deeper JSON; package
// json has the same bound.
const deepestNesting = 10_000

// boundJSON makes JSON.parse throw if the text is nested too deeply.
func (w *Window) boundJSON() {
	object := w.vm.GlobalObject().Get("JSON").ToObject(w.vm)
	parse, _ := goja.AssertFunction(object.Get("parse"))
	_ = object.Set("parse", func(call goja.FunctionCall) goja.Value { // fails only for frozen objects
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

// nesting returns an error if brackets are nested too deeply. In a script, brackets in strings count
// too, because only a parser could tell them apart; they are far fewer than the bound.
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
