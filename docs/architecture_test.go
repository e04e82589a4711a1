package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The architecture page is the contributor's map, so it must list each existing package
// exactly once and no package that does not exist.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	output, err := exec.Command("go", "list", "redial/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	inTree := slices.DeleteFunc(strings.Fields(string(output)), func(p string) bool {
		learners := strings.HasPrefix(p, "redial/steps/exercise") // git ignores these copies
		return strings.Contains(p, "/internal/") || strings.HasPrefix(p, "redial/steps/step") || learners
	})
	row := regexp.MustCompile("(?m)^\\| `(redial/[a-z0-9/]+)` \\|")
	for _, language := range []string{"en", "ko"} {
		page, err := os.ReadFile(filepath.Join(language, "architecture.md"))
		if err != nil {
			t.Fatal(err)
		}
		var named []string
		for _, match := range row.FindAllStringSubmatch(string(page), -1) {
			named = append(named, match[1])
		}
		slices.Sort(named)
		if !slices.Equal(named, inTree) {
			t.Errorf("docs/%s/architecture.md lists %q, the tree has %q", language, named, inTree)
		}
		for _, folder := range []string{"harness/", "scenarios/"} {
			var order []string
			for _, p := range flow {
				if name, found := strings.CutPrefix(p, folder); found {
					order = append(order, name)
				}
			}
			if list := strings.Join(order, ", "); !strings.Contains(string(page), list) {
				t.Errorf("docs/%s/architecture.md lacks the order of the imports below %s: %s", language, folder, list)
			}
		}
	}
}

// Data flows one way through the harness and through the scenarios: a package imports only those
// before it here.
var flow = []string{
	"harness/contract", "harness/plan", "harness/protocol", "harness/seam", "harness/network", "harness/target", "harness/history",
	"harness/client", "harness/lab", "harness/check", "harness/report", "harness/sweep",
	"scenarios/catalogue", "scenarios/inprocess", "scenarios/servers", "scenarios/peers", "scenarios/labpage",
	"scenarios/labwasm", "scenarios/config", "scenarios/doctor", "scenarios/runner", "scenarios/exercises", "scenarios/suite", "scenarios/cmd",
}

// apart lists folders, and the imports that are forbidden to every package in them.
var apart = []struct {
	folder string
	from   []string
}{
	{"redial/steps", []string{"redial/harness", "redial/scenarios", "redial/docs"}},
	{"redial/harness", []string{"redial/scenarios", "redial/docs", "redial/steps/step", "redial/steps/lessons"}},
	{"redial/scenarios", []string{"redial/docs"}},
	// check and report work from a history alone, so they must not depend on how it was
	// observed.
	{"redial/harness/check", []string{"redial/harness/lab", "redial/harness/client", "redial/harness/network", "redial/harness/target"}},
	{"redial/harness/report", []string{"redial/harness/lab", "redial/harness/client", "redial/harness/network", "redial/harness/target"}},
}

func TestImportsGoOneWay(t *testing.T) {
	output, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "redial/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	place := func(path string) int {
		return slices.IndexFunc(flow, func(p string) bool { return strings.HasPrefix(path+"/", "redial/"+p+"/") })
	}
	for line := range strings.Lines(string(output)) {
		paths := strings.Fields(line)
		if strings.HasPrefix(paths[0], "redial/scenarios/") && !strings.Contains(paths[0], "/internal/") && place(paths[0]) < 0 {
			t.Errorf("%s has no place in the flow", paths[0])
		}
		for _, imported := range paths[1:] {
			if from, to := place(paths[0]), place(imported); from >= 0 && to > from {
				t.Errorf("%s imports %s, which comes after it", paths[0], imported)
			}
			for _, a := range apart {
				for _, other := range a.from {
					if strings.HasPrefix(paths[0], a.folder) && strings.HasPrefix(imported, other) {
						t.Errorf("%s imports %s", paths[0], imported)
					}
				}
			}
		}
	}
}
