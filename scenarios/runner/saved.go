package runner

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/config"
	"redial/scenarios/internal/verdict"
	"redial/scenarios/peers"
	"redial/scenarios/servers"
)

// A Saved is a run that did not pass, with all that it takes to understand it and to
// play it again, from either lab.
type Saved struct {
	// Target is the server's name. A step of the kit is found again by it; any other
	// server by Config, Command or URL.
	Target  string   `json:"target"`
	Command []string `json:"command,omitempty"`
	URL     string   `json:"url,omitempty"`
	// Config is the redial.yaml that describes it, which is read again.
	Config string `json:"config,omitempty"`
	// OwnPage tells that its own page was used, where the file has a protocol, too.
	OwnPage bool `json:"ownPage,omitempty"`
	// RealNetwork tells that it switched between real network paths.
	RealNetwork bool `json:"realNetwork,omitempty"`
	// Level is the promise that the server claims. (The matrix judges every step by more
	// than that; see Verdict.)
	Level contract.Level `json:"level"`
	Lab   string         `json:"lab"`
	// Client is the client that played the part of the pages; empty for the official one.
	Client string `json:"client,omitempty"`
	// Name is the scenario that it is, or is a case of.
	Name    string        `json:"name"`
	Verdict check.Verdict `json:"verdict"`
	Plan    plan.Plan     `json:"plan"`
	// Recurred is in how many of Replays runs the failure came again, where that was
	// tried. One that rests on a race does not come each time.
	Recurred int `json:"recurred,omitempty"`
	Replays  int `json:"replays,omitempty"`
	// Schedule fixes what the seed does not, in the lab as WebAssembly, so that the failure
	// comes each time: redial replay --exact finds it. Zero: none is known.
	Schedule uint64          `json:"schedule,omitempty"`
	Events   []history.Event `json:"history"`
	// Output is what the server printed, the first and the last part of it.
	Output string `json:"output,omitempty"`
}

func newSaved(s servers.Server, l lab.Lab, by peers.Client, name string, p plan.Plan, run lab.Run, v check.Verdict) Saved {
	return Saved{
		Target: s.Name, Command: s.Command, URL: s.URL, Config: s.File, OwnPage: s.OwnPage, RealNetwork: s.RealNetwork, Level: s.Level, Lab: l.String(), Client: by.Name,
		Name: name, Verdict: v, Plan: p, Events: append([]history.Event{}, run.Events...), Output: run.Output,
	}
}

// ReadSaved reads the file of a saved failure, gzipped or not. An error is one line.
func ReadSaved(path string) (Saved, error) {
	var s Saved
	text, file, err := open(path)
	if err != nil {
		return s, err
	}
	defer file.Close()
	whole, err := io.ReadAll(text)
	if err == nil {
		err = json.Unmarshal(whole, &s)
	}
	if err != nil {
		return s, fmt.Errorf("%s is not a saved failure: %w", path, err)
	}
	if _, err := lab.Named(s.Lab); err != nil || s.Target == "" {
		return s, fmt.Errorf("%s is not a saved failure: it names no target, or no lab", path)
	}
	if err := s.Plan.Validate(); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if s.Verdict.Outcome != check.Fail && s.Verdict.Outcome != check.Inconclusive {
		return s, fmt.Errorf("%s is not a saved failure: it has no verdict that fails", path)
	}
	for _, level := range []contract.Level{s.Level, s.Verdict.Level} {
		if _, err := contract.ParseLevel(string(level)); err != nil {
			return s, fmt.Errorf("%s is not a saved failure: %w", path, err)
		}
	}
	return s, nil
}

// write saves the failure under the name, in the target's subfolder of the folder.
func (s Saved) write(folder, name string) (path string, err error) {
	folder = filepath.Join(folder, fileName(s.Target))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(folder, ownFileName(name)+".json")
	return path, s.Write(path)
}

// Write saves the failure in the file, gzipped where the file's name says so.
func (s Saved) Write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if filepath.Ext(path) == ".gz" {
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		if _, err := zip.Write(text); err != nil {
			return err
		}
		if err := zip.Close(); err != nil {
			return err
		}
		text = packed.Bytes()
	}
	return os.WriteFile(path, text, 0o644)
}

// fileName makes a file name from any text.
func fileName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(text))
	return name[:min(len(name), mostFileName)]
}

const mostFileName = 80

// ownFileName is fileName with a hash where that loses anything, so that no two texts have the
// same name.
func ownFileName(text string) string {
	name := fileName(text)
	if name == text {
		return name
	}
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%s-%x", name[:min(len(name), mostFileName-9)], sum[:4])
}

// ErrOtherVerdict tells that a replay came to another verdict than the saved one.
var ErrOtherVerdict = errors.New("the verdict is another one this time")

// A Rate is how many of several runs of a saved failure came to the saved verdict, failed in any
// way, and passed. The others were inconclusive.
type Rate struct{ Ended, Same, Failed, Passed int }

// Rate replays the run. A failure by a race in the server recurs at a rate, because the Go
// scheduler does not depend on the seed. Rate calls done, if it is not nil, after each run.
func (s Saved) Rate(ctx context.Context, times int, done func(Rate)) (rate Rate, err error) {
	server, err := s.server(ctx)
	if err != nil {
		return rate, err
	}
	for range times {
		result, err := s.playOn(ctx, server)
		if err != nil && !errors.Is(err, ErrOtherVerdict) {
			return rate, err
		}
		rate.Ended++
		if err == nil {
			rate.Same++
		}
		switch result.Outcome() {
		case check.Fail:
			rate.Failed++
		case check.Pass:
			rate.Passed++
		}
		if done != nil {
			done(rate)
		}
	}
	return rate, nil
}

// server makes the server of the run again, and examines one that is not the kit's, as it was
// examined before the run that was saved.
func (s Saved) server(ctx context.Context) (server servers.Server, err error) {
	if !s.Foreign() {
		if server, err = servers.Step(strings.TrimPrefix(s.Target, "step ")); err != nil {
			err = fmt.Errorf("this failure is of %q, which this program cannot start by itself: %w", s.Target, err)
		}
		server.Level = s.Level
		return server, err
	}
	server, err = config.Application{Config: s.Config, URL: s.URL, Command: s.Command, OwnPage: s.OwnPage}.Server(s.Level)
	if err == nil {
		server.RealNetwork = s.RealNetwork
		err = Preflight(ctx, &server)
	}
	return server, err
}

// Foreign tells whether the server is not one of the kit's.
func (s Saved) Foreign() bool { return s.Config != "" || s.URL != "" || len(s.Command) > 0 }

// Play replays the run in its lab. If the verdict differs from the saved one, it returns the
// result and an error that wraps ErrOtherVerdict.
func (s Saved) Play(ctx context.Context) (report.Result, error) {
	server, err := s.server(ctx)
	if err != nil {
		return report.Result{}, err
	}
	return s.playOn(ctx, server)
}

func (s Saved) playOn(ctx context.Context, server servers.Server) (report.Result, error) {
	in, err := lab.Named(s.Lab)
	if err != nil {
		return report.Result{}, err
	}
	config := configFor(server, s.Plan)
	config.Level = s.Verdict.Level
	by, err := peers.FindClient(s.Client)
	if err != nil {
		return report.Result{}, err
	}
	if by.New != nil {
		config.NewPage = newPage(by, config.Level)
	}
	run := playWithin(ctx, in, 0, server, config, s.Plan)
	if ctx.Err() != nil {
		return report.Result{}, ctx.Err()
	}
	result := report.Result{
		ID: s.Name, Title: s.Plan.Name(), Column: server.Name, Events: run.Events, Verdict: verdict.Of(run, config.Level),
	}
	result.Tally = s.tally(result.Verdict)
	result.Took, result.Virtual = run.Real, run.Virtual
	if errors.Is(run.Err, lab.ErrUnreachable) && s.Verdict.Outcome != check.Inconclusive {
		return result, run.Err
	}
	if !s.same(result.Verdict) {
		return result, fmt.Errorf("%w: it was %s (%s)", ErrOtherVerdict, s.Verdict.Outcome, s.Verdict.Reason)
	}
	return result, nil
}

// tally counts a run that came to the verdict. The matrix judges above the server's level, and
// counts no order that this does not promise: see Runner.tally.
func (s Saved) tally(v check.Verdict) check.Tally {
	t := v.Tally()
	if v.Level == s.Verdict.Level && s.Level != v.Level {
		t.Reordered = v.ReorderedFor(s.Level)
	}
	return t
}

// same tells whether a verdict equals the saved one. The virtual lab repeats a run exactly, so
// the reason has to be the same; no two runs of the real lab are equal, so only the rule has to.
func (s Saved) same(v check.Verdict) bool {
	if s.Lab == lab.Real.String() {
		return v.Outcome == s.Verdict.Outcome && v.Rule() == s.Verdict.Rule()
	}
	return v.Outcome == s.Verdict.Outcome && v.Reason == s.Verdict.Reason
}

// calledAs is how the user calls this program, for a command to copy: as it was built, in any
// folder, or else in a clone of this repository. program is the first argument of the process.
func calledAs(program string) string {
	built := strings.Contains(program, "go-build") // by go run, in a temporary folder or in the default cache
	if cache := os.Getenv("GOCACHE"); cache != "" && strings.HasPrefix(program, cache) {
		built = true
	}
	if filepath.Base(program) == "redial" && !built {
		return servers.CommandLine(program)
	}
	return "go run ./scenarios/cmd/redial"
}

// replayOf is the command that plays a saved failure again.
func replayOf(arguments ...string) string {
	return calledAs(os.Args[0]) + " replay " + servers.CommandLine(arguments...)
}

// replay is the command that plays the cell again. A server's command comes last, after --.
func (r *Runner) replay(c Cell, seed uint64) string {
	how, last := calledAs(os.Args[0])+" check", ""
	switch {
	case c.Server.File != "":
		how += " --config " + servers.CommandLine(c.Server.File)
		if c.Server.OwnPage {
			how += " --own-page"
		}
		if c.Server.RealNetwork {
			how += " --real-network"
		}
	case c.Server.Step != "":
		how += " --step " + c.Server.Step
	case c.Server.Server.Target == nil: // published-6 and the like
		how += " --step " + c.Server.Name
	case c.Server.URL != "":
		how += " --url " + servers.CommandLine(c.Server.URL)
	case len(c.Server.Command) > 0:
		last = " -- " + servers.CommandLine(c.Server.Command...)
	}
	if r.options.Lab == lab.Virtual {
		how += " --lab " + lab.Virtual.String()
	}
	if r.options.Client.Name != "" {
		how += " --client " + r.options.Client.Name
	}
	if c.Scenario.Folder != "" {
		how += " --scenarios " + servers.CommandLine(c.Scenario.Folder)
	}
	return how + fmt.Sprintf(" --level %s --scenario %s --seed %d", c.Server.Level, c.Scenario.ID, seed) + last
}
