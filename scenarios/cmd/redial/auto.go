package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// automatic is the value of --level that stands for the highest level that holds.
const automatic = "auto"

// A rung is a level with the results of its rows, up to the first that failed.
type rung struct {
	level   contract.Level
	results []report.Result
	passed  int
	// reason tells why the level does not hold, and row in which row, if it is about one.
	reason, row string
	// unknown is set where no row failed, and one was inconclusive, or was not played because of
	// the time limit, Ctrl-C, or a server that did not start.
	unknown bool
	// neverUp is set where the time limit ended the start of the server.
	neverUp bool
}

func (r rung) holds() bool { return r.reason == "" }

func (r rung) reasonWithRow() string {
	if r.row == "" {
		return r.reason
	}
	return r.row + ": " + r.reason
}

// climb plays the rows at one level after the other, from the weakest on, as long as all of
// them pass.
func (s *checking) climb() (int, error) {
	rows, err := s.scenarios()
	if err != nil {
		return 0, err
	}
	server, err := s.server() // an error here is independent of the level
	if err != nil {
		return 0, err
	}
	if err := s.files.try(); err != nil {
		return 0, err
	}
	defer watchMemory()()
	ctx, stop := interruptible()
	defer stop()
	r := report.Report{Target: server.Name, Seed: s.seed, Lab: s.lab.String(), Client: s.client.Name, Tolerant: s.failOn == "fail", Began: time.Now()}
	rungs, err := s.rungs(ctx, rows, newProgress(s.quiet))
	if err != nil {
		return 0, err
	}
	// The report is of the highest level that holds, or else of the lowest.
	best, last := rungs[0], rungs[len(rungs)-1]
	for _, up := range rungs {
		switch {
		case up.holds():
			best = up
		case up.unknown:
			s.files.next = fmt.Sprintf("%s is not known to hold: %s", up.level, up.reasonWithRow())
		default:
			s.files.next = fmt.Sprintf("%s does not hold: %s", up.level, up.reasonWithRow())
		}
	}
	r.Took = time.Since(r.Began)
	ended := r
	ended.Level, ended.Results = last.level, last.results
	if last.row != "" && last.level != best.level {
		s.files.above = ended
	}
	r.Level, r.Results = best.level, best.results
	failed := s.files.finish(r, func() error { return printRungs(os.Stdout, rungs, ended, terminal(os.Stdout)) })
	return exitOf(r, last), cmp.Or(failed, unlessInterrupted(ctx, nil))
}

// exitOf is the exit status of the report on a level that holds, if the last level may hold, too.
func exitOf(r report.Report, last rung) int {
	switch code := r.ExitCode(); {
	case last.neverUp && len(r.Results) == 0:
		return report.ExitUsage
	case code == report.ExitPass && last.unknown && !r.Tolerant:
		return report.ExitInconclusive
	default:
		return code
	}
}

// rungs plays one level after the other, up to the first that does not hold.
func (s *checking) rungs(ctx context.Context, rows []catalogue.Scenario, progress *progress) (rungs []rung, err error) {
	prepare(s.lab)
	bounded, cancel := runner.Within(ctx, s.timeLimit)
	defer cancel()
	options := runner.Options{Seed: s.seed, Runs: s.runs, Parallel: s.parallel, Limit: s.runLimit, Artifacts: s.artifacts(), Lab: s.lab, Client: s.client, Done: progress.show}
	for _, level := range contract.Levels {
		up := rung{level: level}
		server, err := s.at(bounded, level)
		if err == nil {
			if wait := runner.HeartbeatWaits(server, rows); wait != "" && len(rungs) == 0 && !s.quiet {
				fmt.Fprintln(os.Stderr, wait)
			}
			progress.begin(len(rows))
			err = up.play(bounded, server, rows, options)
			progress.end()
		}
		switch {
		case err == nil, up.unknown:
		case bounded.Err() != nil:
			if up.neverUp = ctx.Err() == nil && errors.Is(err, lab.ErrUnreachable); up.neverUp {
				printError(err)
			}
			up.reason = fmt.Sprintf("not known: %s when %d rows had passed", runner.Ended(bounded), up.passed)
			up.unknown = true
		case len(rungs) == 0:
			return nil, err
		default:
			up.reason, up.unknown = err.Error(), errors.Is(err, lab.ErrUnreachable)
		}
		rungs = append(rungs, up)
		if !up.holds() {
			break
		}
	}
	return rungs, nil
}

// at makes the server at a level, and examines one that is not the kit's.
func (s *checking) at(ctx context.Context, level contract.Level) (server servers.Server, err error) {
	s.level = string(level)
	if server, err = s.server(); err != nil {
		return server, err
	}
	if s.client.New != nil && level == contract.DurableDelivery {
		return server, fmt.Errorf("the client %s does not offer it: a message would have to survive the end of the client", s.client.Name)
	}
	if s.foreign() {
		err = s.preflight(ctx, &server)
	}
	return server, err
}

// play plays the rows until one fails.
func (u *rung) play(ctx context.Context, server servers.Server, rows []catalogue.Scenario, options runner.Options) error {
	r := runner.New(options)
	cells := runner.Cells([]servers.Server{server}, rows)
	ctx, cancel := context.WithCancel(ctx)
	wait := r.Start(ctx, cells)
	defer wait()
	defer cancel()
	for n, cell := range cells {
		result, err := r.Result(ctx, cell)
		if err == nil && result.Outcome() == check.Inconclusive {
			err = ctx.Err() // then this result is only that of some runs
		}
		if err != nil {
			cancel()
			wait()
			return u.cut(r, cells[n:], err)
		}
		u.results = append(u.results, result)
		switch result.Outcome() {
		case check.Pass:
			u.passed++
		case check.Unsupported:
		case check.Inconclusive: // a later row may fail
			if !u.unknown {
				u.broken(result)
			}
		default:
			u.broken(result)
			return nil
		}
	}
	if u.passed == 0 && !u.unknown {
		u.reason = "none of the scenarios can be played at this level"
	}
	return nil
}

// cut adds the results of the rows that err has cut short. If a run of one has failed, the level
// does not hold; otherwise cut returns err.
func (u *rung) cut(r *runner.Runner, cells []runner.Cell, err error) error {
	for n, cell := range cells {
		result, known := r.Finished(cell)
		if !known {
			result = cell.Unplayed("not played to its end: " + err.Error())
		}
		fails := result.Outcome() == check.Fail
		if fails || n == 0 { // without the first, the rows before it would look like all
			u.results = append(u.results, result)
		}
		if fails {
			u.broken(result)
			return nil
		}
	}
	return err
}

// broken has the row of the result tell that the level does not hold, or that nobody knows
// whether it does.
func (u *rung) broken(result report.Result) {
	u.unknown = result.Outcome() == check.Inconclusive
	u.row = fmt.Sprintf("row %d, %s", result.Row, result.ID)
	u.reason = fmt.Sprintf("%s. %s", result.Outcome(), result.Reason())
}

// printRungs prints a line for each level that was played, what did not pass at the last one, on
// which the report is, and the highest level that holds.
func printRungs(w io.Writer, rungs []rung, r report.Report, style report.Style) error {
	fmt.Fprintf(w, "%s   (%s lab, seed %d, %s)\n\n", r.Target, r.Lab, r.Seed, r.Took.Round(time.Second))
	holds, known := contract.Level(""), ""
	for _, up := range rungs {
		switch {
		case up.holds():
			holds = up.level
			fmt.Fprintf(w, "✓ %-18s %d rows pass\n", up.level, up.passed)
		case up.unknown:
			known = " is known to hold"
			fmt.Fprintf(w, "? %-18s %s\n", up.level, up.reasonWithRow())
		default:
			fmt.Fprintf(w, "✗ %-18s %s\n", up.level, up.reasonWithRow())
		}
	}
	if rungs[len(rungs)-1].row != "" {
		if err := report.Unproved(w, r, style); err != nil {
			return err
		}
	}
	switch {
	case holds == "":
		fmt.Fprintf(w, "\nNo level%s.\n", cmp.Or(known, " holds"))
	case known != "":
		fmt.Fprintf(w, "\nThe highest level that%s: %s\n", known, holds)
	default:
		fmt.Fprintf(w, "\nThe highest level that holds: %s\n", holds)
	}
	return nil
}
