package catalogue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redial/harness/contract"
)

const small = `
title: a small one
clients: [{name: alice}, {name: bob}]
script:
  - {do: open, client: alice}
  - {do: open, client: bob}
  - {do: break, fault: {kind: outage, client: bob, for: 1.5s}}
`

func write(t *testing.T, name, text string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestReadOwnFillsInDefaultsAndTheSeed(t *testing.T) {
	rows, err := ReadOwn(write(t, "small.yaml", small))
	if err != nil {
		t.Fatal(err)
	}
	s := rows[0]
	if s.ID != "small" || s.From != contract.Basic || s.Row != All[len(All)-1].Row+1 || s.Restarts || s.Cluster || s.Expect != nil {
		t.Errorf("got %+v", s)
	}
	p := s.Plan(7)
	if p.Seed != 7 || p.Scenario != "small" || len(p.AllFaults()) != 1 || time.Duration(p.AllFaults()[0].For) != 1500*time.Millisecond {
		t.Errorf("got %+v", p)
	}
	if found, err := FindIn(append(All, rows...), []string{"small", "24"}); err != nil || len(found) < 2 {
		t.Errorf("%v, %v", found, err)
	}
	rows, err = ReadOwn(write(t, "k.json", `{"id": "killed", "title": "x", "from": "server-delivery", "clients": [{"name": "a", "node": "b"}], "script": [{"do": "open", "client": "a"}, {"do": "kill-server"}, {"do": "start-server"}]}`))
	if err != nil || !rows[0].Restarts || !rows[0].Cluster || rows[0].From != contract.ServerDelivery {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestErrorsInOwnScenariosNameFileAndLine(t *testing.T) {
	for want, text := range map[string]string{
		`line 6: unknown field "clinet"`: strings.Replace(small, "client: bob}\n", "clinet: bob}\n", 1),
		"line 7: ":                       strings.Replace(small, "1.5s", "soon", 1),
		"title is missing":               strings.Replace(small, "title: a small one", "why: none", 1),
		`there is no level "best"`:       small + "from: best\n",
		"another scenario":               small + "id: clean-drop\n",
		"plan: ":                         strings.Replace(small, "client: bob}\n", "client: carol}\n", 1),
		"line 1: ":                       "title: [",
	} {
		_, err := ReadOwn(write(t, "one.yaml", text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "one.yaml") || strings.Contains(err.Error(), "\n") {
			t.Errorf("want one line with the file and %q, got %v", want, err)
		}
	}
	for _, folder := range []string{t.TempDir(), "no-such-folder"} {
		if _, err := ReadOwn(folder); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", folder, err)
		}
	}
}
