//go:build !js

package catalogue

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"redial/harness/contract"
	"redial/harness/plan"
	"redial/scenarios/internal/strict"
)

// An Own is a scenario in a user's file of YAML or JSON: a plan with a title and a level.
type Own struct {
	// ID names the scenario. If empty, it is the file's name without its extension.
	ID string `json:"id,omitempty"`
	// Title says in one line what happens.
	Title string `json:"title"`
	// Why says what decides the outcome.
	Why string `json:"why,omitempty"`
	// From is the weakest level whose promise covers the scenario. If empty, it is basic.
	From contract.Level `json:"from,omitempty"`
	// WaitsOutHeartbeat and RealOnly are those of a Scenario.
	WaitsOutHeartbeat bool   `json:"waitsOutHeartbeat,omitempty"`
	RealOnly          string `json:"realOnly,omitempty"`
	// The plan: see package plan. The run sets its seed.
	Clients []plan.Client `json:"clients"`
	Script  []plan.Step   `json:"script"`
	Faults  []plan.Fault  `json:"faults,omitempty"`
	Tuning  plan.Tuning   `json:"tuning,omitzero"`
}

// mostOwnBytes bounds the size of a file.
const mostOwnBytes = 1 << 20

// ReadOwn reads the scenarios in a folder, one from each file (*.yaml, *.yml or *.json), and
// numbers them after the catalogue's. An error is one line that names the file and, if it
// is known, the line in it.
func ReadOwn(folder string) (rows []Scenario, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot read the scenarios: %w", err)
	}
	next := All[len(All)-1].Row + 1
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if !slices.Contains([]string{".yaml", ".yml", ".json"}, extension) || entry.IsDir() {
			continue
		}
		path := filepath.Join(folder, entry.Name())
		s, err := readOwn(path, strings.TrimSuffix(entry.Name(), extension))
		if err == nil && slices.ContainsFunc(slices.Concat(All, rows), func(other Scenario) bool { return other.ID == s.ID }) {
			err = fmt.Errorf("there is another scenario with the id %q", s.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		s.Row, s.Folder = next+len(rows), folder
		rows = append(rows, s)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no scenarios: each is a file whose name ends with .yaml, .yml or .json", folder)
	}
	return rows, nil
}

func readOwn(path, name string) (Scenario, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > mostOwnBytes {
		err = fmt.Errorf("it is larger than %d bytes", mostOwnBytes)
	}
	if err != nil {
		return Scenario{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Scenario{}, err
	}
	var own Own
	document, err := strict.Parse(text)
	if err == nil {
		err = strict.Decode(document, &own)
	}
	if err != nil {
		return Scenario{}, err
	}
	own.ID, own.From = cmp.Or(own.ID, name), cmp.Or(own.From, contract.Basic)
	return own.scenario()
}

func (o Own) scenario() (Scenario, error) {
	if o.Title == "" {
		return Scenario{}, errors.New("title is missing: one line that says what happens")
	}
	if _, err := contract.ParseLevel(string(o.From)); err != nil {
		return Scenario{}, fmt.Errorf("from: %w", err)
	}
	made := plan.Plan{Scenario: o.ID, Clients: o.Clients, Script: o.Script, Faults: o.Faults, Tuning: o.Tuning}
	if err := made.Validate(); err != nil {
		return Scenario{}, err
	}
	return Scenario{
		ID: o.ID, Title: o.Title, Why: o.Why, From: o.From, WaitsOutHeartbeat: o.WaitsOutHeartbeat, RealOnly: o.RealOnly,
		Restarts: restarts(made), Cluster: needsCluster(made),
		Plan: func(seed uint64) plan.Plan {
			p := made.WithFaultIDs()
			p.Seed = seed
			return p
		},
	}, nil
}

// restarts tells whether the plan stops or starts the server.
func restarts(p plan.Plan) bool {
	ends := func(f plan.Fault) bool { return f.Kind == plan.Crash || f.Kind == plan.Restart }
	stops := []plan.Action{plan.StopServer, plan.KillServer, plan.StartServer, plan.PauseServer, plan.ContinueServer, plan.ReplaceData}
	return slices.ContainsFunc(p.AllFaults(), ends) ||
		slices.ContainsFunc(p.Script, func(s plan.Step) bool { return slices.Contains(stops, s.Do) })
}

// needsCluster tells whether the plan names one of several servers.
func needsCluster(p plan.Plan) bool {
	return slices.ContainsFunc(p.Clients, func(c plan.Client) bool { return c.Node != "" }) ||
		slices.ContainsFunc(p.Script, func(s plan.Step) bool { return s.Node != "" }) ||
		slices.ContainsFunc(p.AllFaults(), func(f plan.Fault) bool { return f.Node != "" })
}
