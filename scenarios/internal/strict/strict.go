// Package strict reads YAML, and therefore also JSON, into Go values. An unknown key, or a
// value of a wrong type, is an error of one line with the line number in the file.
//
// Read [Parse] and [Decode] first. The package uses github.com/goccy/go-yaml, whose errors
// know their position, and puts each error on one line. It must not know the values that it
// reads.
package strict

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Parse parses the text as a single document.
func Parse(text []byte) (ast.Node, error) {
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, plain(err)
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return nil, errors.New("it has to be one YAML document, and not empty")
	}
	return parsed.Docs[0].Body, nil
}

// Decode decodes a document into a value.
func Decode(document ast.Node, into any) error {
	if err := yaml.NewDecoder(strings.NewReader(""), yaml.Strict()).DecodeFromNode(document, into); err != nil {
		return located(document, plain(err))
	}
	return nil
}

// located adds the line number to an error of a type with its own text format, such as a
// duration: such an error quotes the text, and the library does not know its position.
func located(document ast.Node, err error) error {
	find := &finder{text: err.Error()}
	if !strings.HasPrefix(find.text, "line ") {
		ast.Walk(find, document)
	}
	if find.line == 0 {
		return err
	}
	return fmt.Errorf("line %d: %w", find.line, err)
}

// A finder searches for the line of the first value that is quoted in a text.
type finder struct {
	text string
	line int
}

func (f *finder) Visit(node ast.Node) ast.Visitor {
	value, ok := node.(ast.ScalarNode) // a duration without a unit is a number
	if ok && f.line == 0 && strings.Contains(f.text, strconv.Quote(fmt.Sprint(value.GetValue()))) {
		f.line = value.GetToken().Position.Line
	}
	return f
}

// Locate adds a line number to an error in values that were decoded already. The text begins
// with keys, as in "socket: path: it has no slash" and "socket: enter, step 2: it needs emit
// or await"; the line is that of these keys.
func Locate(document ast.Node, text string) string {
	line := 0
	for node, rest := document, text; node != nil; {
		key, after, _ := strings.Cut(rest, ": ")
		key, item, _ := strings.Cut(key, ", ")
		entry := entryOf(node, key)
		if entry == nil {
			break
		}
		line, node, rest = entry.Key.GetToken().Position.Line, entry.Value, after
		if list, ok := node.(*ast.SequenceNode); ok && item != "" {
			number, err := strconv.Atoi(item[strings.LastIndex(item, " ")+1:])
			if err != nil || number < 1 || number > len(list.Values) {
				break
			}
			node = list.Values[number-1]
			line = node.GetToken().Position.Line
		}
	}
	if line == 0 {
		return text
	}
	return fmt.Sprintf("line %d: %s", line, text)
}

func entryOf(node ast.Node, key string) *ast.MappingValueNode {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		return nil
	}
	for _, entry := range mapping.Values {
		if entry.Key.GetToken().Value == key {
			return entry
		}
	}
	return nil
}

// kinds translates the library's names of types for a reader of the error.
var kinds = map[string]string{"string": "text", "int": "a number", "float": "a number", "float64": "a number", "uint64": "a number", "bool": "true or false"}

func kindOf(name string) string {
	switch {
	case strings.HasPrefix(name, "[]"), name == "sequence":
		return "a list"
	case kinds[name] != "":
		return kinds[name]
	}
	return "keys and values"
}

// plain formats an error like this: line 3: unknown field "lvel".
func plain(err error) error {
	var typed *yaml.TypeError
	if errors.As(err, &typed) && typed.Token != nil && typed.SrcType != nil {
		return fmt.Errorf("line %d: %q is %s, and here belongs %s", typed.Token.Position.Line, typed.Token.Value, kindOf(typed.SrcType.String()), kindOf(typed.DstType.String()))
	}
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		return fmt.Errorf("line %d: %s", located.GetToken().Position.Line, strings.ReplaceAll(located.GetMessage(), "\n", " "))
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", " "))
}
