// Package source extracts from the steps what the pages show: declarations of a chat.go, parts
// of the script of an index.html, and the changes from one step to the next.
//
// Read [Go] and [Script], then [Changes]. Changes are found one declaration at a time, because
// a reader thinks of New and not of line 40.
//
// go/ast does the parsing, and github.com/rogpeppe/go-internal/diff the comparing (the Go
// project's own anchored diff, maintained as a package). source must not know pages or
// Markdown.
package source

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// A Part is a declaration of a source file: "New", "chat", "chat.say", "import".
type Part struct{ Name, Text string }

// Go returns the declarations of a Go file in their order, each with its comment. The
// package clause and the package comment are left out.
func Go(code []byte) ([]Part, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", code, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var parts []Part
	for _, d := range file.Decls {
		from, to := d.Pos(), d.End()
		if comment := commentOf(d); comment != nil {
			from = comment.Pos()
		}
		parts = append(parts, Part{nameOf(d), string(code[files.Position(from).Offset:files.Position(to).Offset])})
	}
	return parts, nil
}

func commentOf(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}

func nameOf(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return d.Name.Name
		}
		receiver := d.Recv.List[0].Type
		if pointer, ok := receiver.(*ast.StarExpr); ok {
			receiver = pointer.X
		}
		return fmt.Sprintf("%s.%s", receiver, d.Name.Name)
	case *ast.GenDecl:
		if d.Tok == token.IMPORT {
			return "import"
		}
		switch spec := d.Specs[0].(type) {
		case *ast.TypeSpec:
			return spec.Name.Name
		case *ast.ValueSpec:
			return spec.Names[0].Name
		}
	}
	return ""
}

// Script returns the script of a page without its indentation, or "" if the page has no
// inline script.
func Script(page []byte) string {
	_, rest, found := strings.Cut(string(page), "<script>\n")
	if !found {
		return ""
	}
	script, _, _ := strings.Cut(rest, "    </script>")
	var lines []string
	for _, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		lines = append(lines, strings.TrimPrefix(line, "      "))
	}
	return strings.Join(lines, "\n")
}

// Paragraphs returns the parts of a script that are separated by empty lines.
func Paragraphs(script string) (parts []string) {
	for _, text := range strings.Split(script, "\n\n") {
		if text = strings.Trim(text, "\n"); text != "" {
			parts = append(parts, text)
		}
	}
	return parts
}

// A Hunk is one continuous change.
type Hunk struct {
	// File is "chat.go" or "index.html", Part the name of the declaration.
	File, Part string
	// Text is the hunk as a unified diff, without the header.
	Text string
}

// Header returns the line that identifies the hunk in a diff.
func (h Hunk) Header() string {
	if h.Part == "" {
		return "@@ " + h.File + " @@"
	}
	return "@@ " + h.File + ": " + h.Part + " @@"
}

// Code returns the lines that the hunk adds. If it removes lines too, these are its lines in the
// newer file, with the unchanged ones around them.
func (h Hunk) Code() string {
	var added, after []string
	removes := false
	for _, line := range strings.Split(h.Text, "\n") {
		switch {
		case strings.HasPrefix(line, "-"):
			removes = true
			continue
		case strings.HasPrefix(line, "+"):
			added = append(added, line[1:])
		}
		if line != "" {
			after = append(after, line[1:])
		}
	}
	if removes {
		return strings.Join(after, "\n")
	}
	return strings.Trim(strings.Join(added, "\n"), "\n")
}

// A Step holds the two files of a step that its chapter shows.
type Step struct{ Chat, Page []byte }

// Changes returns the differences in the order of after; removed parts come last. before is
// empty for the first step. Differences that come only from the step's number (package
// clauses, titles) are left out.
func Changes(before, after Step) ([]Hunk, error) {
	older, err := goOrNothing(before.Chat)
	if err != nil {
		return nil, err
	}
	newer, err := goOrNothing(after.Chat)
	if err != nil {
		return nil, err
	}
	var hunks []Hunk
	for _, part := range newer {
		hunks = append(hunks, compare("chat.go", part.Name, textOf(older, part.Name), part.Text)...)
	}
	for _, part := range older {
		if textOf(newer, part.Name) == "" {
			hunks = append(hunks, compare("chat.go", part.Name, part.Text, "")...)
		}
	}
	return append(hunks, compare("index.html", "", Script(before.Page), Script(after.Page))...), nil
}

func goOrNothing(code []byte) ([]Part, error) {
	if len(code) == 0 {
		return nil, nil
	}
	return Go(code)
}

func textOf(parts []Part, name string) string {
	i := slices.IndexFunc(parts, func(p Part) bool { return p.Name == name })
	if i < 0 {
		return ""
	}
	return parts[i].Text
}

// compare returns the hunks of one part.
func compare(file, part, before, after string) []Hunk {
	ended := func(text string) []byte {
		if text == "" {
			return nil
		}
		return []byte(text + "\n")
	}
	text := string(diff.Diff("a", ended(before), "b", ended(after)))
	var hunks []Hunk
	var lines []string
	flush := func() {
		if len(lines) > 0 {
			hunks = append(hunks, Hunk{file, part, strings.Join(lines, "\n")})
			lines = nil
		}
	}
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case i < 3: // the header: diff a b, --- a, +++ b
		case strings.HasPrefix(line, "@@ "):
			flush()
		default:
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	flush()
	return hunks
}

// Contains reports whether the code contains the lines of text consecutively. Indentation is
// ignored.
func Contains(block, text string) bool {
	return bytes.Contains(flat(block), flat(text))
}

func flat(text string) []byte {
	out := []byte("\n")
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(append(out, line...), '\n')
		}
	}
	return out
}
