//go:build !race

// The servers are other processes, in other languages: the race detector has nothing to
// see, and makes the pages ten times slower. `make test` runs these tests without it.

package peers_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/peers"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// rightRuns is set by `make peers-all`.
var rightRuns = flag.Int("right-runs", 0, "play every row so many times on the right servers, with the seeds from 1 on (default: a sample of the rows, once)")

// root is the module's folder, in which the servers are started.
var root = filepath.Join("..", "..")

// rightServers are third-party servers in scenarios/peers that keep the promise of a level,
// which is their argument.
var rightServers = []struct {
	name, file string
	// interpreter returns the program that runs the server, or an error about a missing
	// dependency.
	interpreter func() (string, error)
}{
	{"node", "node/right.js", func() (string, error) { _, err := nodePeer(); return "node", err }},
	{"python", "python/right.py", pythonWithSocketIO},
}

var rightLevels = []contract.Level{contract.ServerDelivery, contract.ClientDelivery}

func pythonWithSocketIO() (string, error) { return peers.PythonWithSocketIO() }

// atLevel returns one of these servers at a level.
func atLevel(t *testing.T, level contract.Level, interpreter, file string) servers.Server {
	t.Helper()
	command := []string{interpreter, file, string(level)}
	server, err := servers.Command(target.CommandOptions{Command: command}, level)
	if err != nil {
		t.Fatal(err)
	}
	server.Shared = false // it stores data only in DATA_DIR
	server.Server.Target = func(tuning plan.Tuning) (target.Target, error) {
		return target.NewCommand(target.CommandOptions{Command: command, Dir: root, Tuning: tuning})
	}
	return server
}

// TestRightPeersPass is a positive control: servers on the official Node.js library and on
// python-socketio, which share only the contract with the kit's steps, must pass every row
// that their level covers.
func TestRightPeersPass(t *testing.T) {
	options := runner.Options{Seed: 1, Runs: *rightRuns, Parallel: runner.DefaultParallel / len(rightServers), Artifacts: filepath.Join(root, "out", "test")}
	rows := catalogue.All
	if *rightRuns == 0 {
		options.Seed = rand.Uint64N(1 << 32)
		rows = drawn(options.Seed)
	}
	for _, peer := range rightServers {
		t.Run(peer.name, func(t *testing.T) {
			interpreter, err := peer.interpreter()
			if err != nil {
				t.Skip(err)
			}
			t.Parallel()
			var tested []servers.Server
			for _, level := range rightLevels {
				server := atLevel(t, level, interpreter, "scenarios/peers/"+peer.file)
				if err := runner.Preflight(t.Context(), &server); err != nil {
					t.Fatal(err)
				}
				tested = append(tested, server)
			}
			options, began := options, time.Now()
			options.Done = func(finished, all int, r report.Result) {
				t.Logf("%v, %d of %d: %s on %s: %s, %d runs", time.Since(began).Round(time.Second), finished, all, r.ID, r.Column, r.Outcome(), r.Tally.Runs)
			}
			results, err := runner.Run(t.Context(), tested, rows, options)
			if err != nil {
				t.Fatal(err)
			}
			mustPass(t, results)
		})
	}
}

// mustPass requires a pass of every result, except for rows that the level does not cover.
func mustPass(t *testing.T, results []report.Result) {
	t.Helper()
	passed := 0
	for _, r := range results {
		switch r.Outcome() {
		case check.Pass:
			passed++
		case check.Unsupported:
		default:
			t.Errorf("%s: %s: %s\n%s\nsaved as %v", r.ID, r.Outcome(), r.Reason(), r.Replay, r.Artifacts)
		}
	}
	if passed < len(results)/2 {
		t.Errorf("only %d of %d were played to a pass", passed, len(results))
	}
}

// sampled is the number of rows in the sample.
const sampled = 8

// drawn samples the rows that need only one server, except for one that takes 41 seconds.
func drawn(seed uint64) (rows []catalogue.Scenario) {
	random := rand.New(rand.NewPCG(seed, 'p'))
	for _, i := range random.Perm(len(catalogue.All)) {
		s := catalogue.All[i]
		if s.Needs == "" && !s.Cluster && s.ID != "database-unavailable" && contract.ClientDelivery.AtLeast(s.From) && len(rows) < sampled {
			rows = append(rows, s)
		}
	}
	return rows
}

// TestRightPeersBrokenAreCaught changes one line of each server: a replay that skips a row,
// and an idempotency key that is not stored. The rule for that defect must fail.
func TestRightPeersBrokenAreCaught(t *testing.T) {
	for _, peer := range rightServers {
		for _, level := range rightLevels {
			t.Run(peer.name+" "+string(level), func(t *testing.T) {
				interpreter, err := peer.interpreter()
				if err != nil {
					t.Skip(err)
				}
				t.Parallel()
				row, rule, right, broken := "clean-drop", contract.NoLoss, "WHERE id > ? ORDER BY id LIMIT", "WHERE id > ? + 1 ORDER BY id LIMIT"
				if level == contract.ClientDelivery {
					row, rule, right = "acknowledgement-cut", contract.Sends, "text, key]"
					broken = "text, null]"
					if peer.name == "python" {
						right, broken = "text, key))", "text, None))"
					}
				}
				scenarios, err := catalogue.Find([]string{row})
				if err != nil {
					t.Fatal(err)
				}
				server := atLevel(t, level, interpreter, brokenCopy(t, peer.file, right, broken))
				config := servers.ConfigOf(server)
				config.ShownBound = 4 * time.Second // a lost message never arrives, so a longer wait is useless
				run := lab.Real.Play(t.Context(), server.Server, config, scenarios[0].Plan(1))
				if run.Err != nil {
					t.Fatalf("%v\n%s", run.Err, run.Output)
				}
				if v := check.Judge(run.Events); v.Outcome != check.Fail || v.Rule() != rule {
					t.Errorf("%s by %q, want fail by %q: %s\n%s", v.Outcome, v.Rule(), rule, v.Reason, run.Output)
				}
			})
		}
	}
}

// brokenCopy returns a server with one text replaced, in its own folder with links to its
// dependencies: the neighbouring files, and the steps' pages.
func brokenCopy(t *testing.T, file, right, broken string) string {
	t.Helper()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if count := strings.Count(string(text), right); count != 1 {
		t.Fatalf("%s has %q %d times, want once", file, right, count)
	}
	top := t.TempDir()
	folder := filepath.Join(top, "scenarios", "peers", filepath.Dir(file))
	neighbours, err := filepath.Glob(filepath.Join(here, filepath.Dir(file), "*"))
	err = errors.Join(err, os.MkdirAll(folder, 0o700), os.Symlink(filepath.Join(here, root, "steps"), filepath.Join(top, "steps")))
	for _, neighbour := range neighbours {
		if name := filepath.Base(neighbour); name != filepath.Base(file) {
			err = errors.Join(err, os.Symlink(neighbour, filepath.Join(folder, name)))
		}
	}
	copied := filepath.Join(folder, filepath.Base(file))
	err = errors.Join(err, os.WriteFile(copied, []byte(strings.Replace(string(text), right, broken, 1)), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

// TestPublishedPeerIsCaught plays step 7 as published on the official Node.js server. It stores
// each message on a thread of its own, so one client's messages change places in the log.
func TestPublishedPeerIsCaught(t *testing.T) {
	if _, err := nodePeer(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	scenarios, err := catalogue.Find([]string{"drop-after-two-writers"})
	if err != nil {
		t.Fatal(err)
	}
	server := atLevel(t, contract.ServerDelivery, "node", "scenarios/peers/node/server.js")
	config := servers.ConfigOf(server)
	config.ShownBound = 4 * time.Second // a lost message never arrives, so a longer wait is useless
	run := lab.Real.Play(t.Context(), server.Server, config, scenarios[0].Plan(1))
	if run.Err != nil {
		t.Fatalf("%v\n%s", run.Err, run.Output)
	}
	if v := check.Judge(run.Events); v.Outcome != check.Fail || v.Rule() != contract.Order {
		t.Errorf("%s by %q, want fail by %q: %s", v.Outcome, v.Rule(), contract.Order, v.Reason)
	}
}
