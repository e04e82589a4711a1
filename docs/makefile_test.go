package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"redial/scenarios/exercises"
)

// A package is tested with the race detector or, where the Makefile lists it as PLAIN,
// without, or, as BOTH, both ways. A test that leaves itself out under the race detector is
// played by name: one that the Makefile does not name would be played nowhere, nor would a file
// that is not built under it.
func TestMakefileNamesWhatTheRaceDetectorLeavesOut(t *testing.T) {
	root, err := exercises.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	watched := regexp.MustCompile(`(?m)^WATCHED = (.+)$`).FindSubmatch(text)[1]
	makefile := strings.ReplaceAll(string(text), "$(WATCHED)", string(watched))
	plain := strings.Fields(strings.Join(regexp.MustCompile(`(?m)^(?:PLAIN|BOTH) = (.+)$`).FindAllString(makefile, 2), " "))
	var named []*regexp.Regexp
	for _, run := range regexp.MustCompile(`\$\(GO\) test .*-run '([^']+)'`).FindAllStringSubmatch(makefile, -1) {
		named = append(named, regexp.MustCompile(strings.ReplaceAll(run[1], "$$", "$")))
	}
	found, tests := 0, []string{}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, test := range regexp.MustCompile(`(?m)^func (Test\w+)`).FindAllStringSubmatch(string(text), -1) {
			tests = append(tests, test[1])
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil || slices.Contains(plain, "./"+filepath.ToSlash(folder)) {
			return err
		}
		if strings.HasPrefix(string(text), "//go:build !race") {
			t.Errorf("%s is not built under the race detector, and its package is in neither PLAIN nor BOTH of the Makefile", path)
		}
		for _, name := range leftOut(t, path) {
			found++
			if !slices.ContainsFunc(named, func(p *regexp.Regexp) bool { return p.MatchString(name) }) {
				t.Errorf("%s: %s is left out under the race detector, and no target of the Makefile plays it", path, name)
			}
		}
		return nil
	})
	defects, _ := os.ReadFile(filepath.Join(root, "scenarios/cmd/redial/defects.txt"))
	shown := regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(defects, -1)
	for _, name := range shown {
		if !slices.Contains(tests, string(name[1])) {
			t.Errorf("defects.txt says that %s shows a fault, and there is no such test", name[1])
		}
	}
	if len(shown) == 0 {
		t.Error("defects.txt names no test")
	}
	// A pattern that names no test any more plays nothing, and reports no error.
	for _, run := range regexp.MustCompile(`-run '\^Test(?:\(([^']+)\)|([^']*))'`).FindAllStringSubmatch(makefile, -1) {
		for name := range strings.SplitSeq(run[1]+run[2], "|") {
			if !slices.ContainsFunc(tests, regexp.MustCompile("^Test"+strings.ReplaceAll(name, "$$", "$")).MatchString) {
				t.Errorf("the Makefile runs Test%s, and there is no such test", name)
			}
		}
	}
	if err != nil || found < 3 {
		t.Errorf("%d tests that are left out under the race detector: %v", found, err)
	}
}

// leftOut is the tests of a file that skip themselves under the race detector.
func leftOut(t *testing.T, path string) (names []string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, declared := range file.Decls {
		test, ok := declared.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(test.Name.Name, "Test") {
			continue
		}
		needsSpeed := has(test.Body, "needsSpeed")
		ast.Inspect(test.Body, func(n ast.Node) bool {
			when, ok := n.(*ast.IfStmt)
			needsSpeed = needsSpeed || ok && has(when.Cond, "race") && has(when.Body, "Skip")
			return true
		})
		if needsSpeed {
			names = append(names, test.Name.Name)
		}
	}
	return names
}

func has(n ast.Node, name string) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		ident, ok := n.(*ast.Ident)
		found = found || ok && ident.Name == name
		return true
	})
	return found
}
