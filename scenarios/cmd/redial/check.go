package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/network/paths"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/peers"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// A checking holds the flags of `redial check`.
type checking struct {
	play
	application
	step, level, clientName string
	auto, realNetwork       bool
}

func newCheck(code *int) *cobra.Command {
	s := &checking{}
	c := &cobra.Command{
		Use:   "check (--config FILE | --step N | --url URL | -- COMMAND …)",
		Short: "Test whether a server keeps the promise of its level",
		Long: `check plays every scenario that the server's level covers, and reports which messages were
lost, duplicated or reordered.

The server is the one that a redial.yaml describes (by default the file in the current
folder; see redial explain), one of the kit's steps, a server that is already running
(redial does not restart it), or a command after --, in any language, which redial starts
for every run with the port in PORT and an empty folder in DATA_DIR.

Steps are 3 to 10; 9-postgres for row 41; features and features-published for the rows
that no step is about; with --lab virtual also published-6, -7 and -8, the tutorial's code
as published.`,
		Example: `  redial check --step 7
  redial check --step published-6 --lab virtual --sweep single
  redial check --level recovery --scenario clean-drop,24 --seed 1 -- node server.js
  redial check --url http://127.0.0.1:3000 --junit result.xml`,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault), // files, after --
		RunE: func(c *cobra.Command, arguments []string) (err error) {
			if err = s.read(c, arguments); err == nil {
				if s.auto {
					*code, err = s.climb()
				} else {
					*code, err = s.check()
				}
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&s.Config, "config", "", "check the application that the `FILE` describes (default: redial.yaml, where nothing else is named)")
	f.BoolVar(&s.OwnPage, "own-page", false, "use the application's own page in Chromium (the file's section page), not the kit's")
	f.BoolVar(&s.realNetwork, "real-network", false, "for scenarios that switch networks: run the Chromium of the application's own page in a network namespace with two paths (Linux, as root), not on loopback")
	f.StringVar(&s.step, "step", "", "check the kit's step `N`")
	f.StringVar(&s.URL, "url", "", "check the server at the `URL`, such as http://127.0.0.1:3000")
	f.StringVar(&s.level, "level", "", fmt.Sprintf("the `LEVEL` whose promise is tested: %s; or auto, the highest that holds (default: the file's or the step's own; else server-delivery)", strings.Join(contract.LevelNames(), ", ")))
	f.StringVar(&s.clientName, "client", peers.Official, fmt.Sprintf("the Socket.IO client (`NAME`) that the users of a step have: %s", strings.Join(peers.ClientNames, ", ")))
	s.commonFlags(c)
	s.ownFlag(c)
	s.labFlags(c)
	f.StringVar(&s.files.badge, "badge", "", "write a badge with the level and the verdict to `FILE` (SVG)")
	f.StringVar(&s.files.summary, "summary", "", "write the verdict, the seed and the versions to `FILE` (Markdown), to be committed beside the badge")
	_ = c.MarkFlagFilename("badge", "svg")
	_ = c.MarkFlagFilename("summary", "md")
	f.StringVar(&s.expect, "expect", "", "a `FILE` of scenarios that are known to fail, an ID or a row number on a line (# begins a comment): such a failure does not fail the run, and a pass does")
	f.StringVar(&s.sweep, "sweep", "", "in the virtual lab, inject faults into stories instead of playing scenarios; `KIND` is single (every fault at every frame; --runs seeds), pairs or random (--runs plans, 1000 if not given)")
	f.IntVar(&s.points, "points", 0, "the number (`N`) of points of each story at which a single sweep injects a fault, spread over all, every second one at an acknowledgement while there are such (default all)")
	f.BoolVar(&s.whole, "whole", false, "make a single sweep play every point with every client a page; by default it plays one point of each group whose points cannot differ, with one page client")
	complete := func(flag string, values []string) {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	complete("step", servers.MatrixSteps)
	complete("level", append(contract.LevelNames(), automatic))
	complete("client", peers.ClientNames)
	complete("sweep", runner.SweepKinds)
	return c
}

// read validates the flags and the command after --.
func (s *checking) read(c *cobra.Command, arguments []string) (err error) {
	if err := afterDash(c, arguments); err != nil {
		return err
	}
	s.Command = arguments
	if err := s.play.read(c); err != nil {
		return err
	}
	if s.auto = s.level == automatic; s.auto {
		s.level = ""
	}
	if s.client, err = peers.FindClient(s.clientName); err != nil {
		return err
	}
	return s.fits(c)
}

// afterDash refuses arguments that do not come after --, and a missing command there.
func afterDash(c *cobra.Command, arguments []string) error {
	dash := c.ArgsLenAtDash()
	switch {
	case dash < 0 && len(arguments) > 0, dash > 0:
		return fmt.Errorf("what is %q? A command to start goes after --", arguments[0])
	case dash == 0 && len(arguments) == 0:
		return errors.New("after -- comes the command that starts the server")
	}
	return nil
}

// fits refuses flags that contradict each other.
func (s *checking) fits(c *cobra.Command) error {
	if s.lab == lab.Virtual && s.foreign() {
		return errors.New("the virtual lab needs a server in its own process: a step of the kit here, your own Go server in its own test (see the package doc of redial/scenarios)")
	}
	if s.lab == lab.Virtual && s.step == catalogue.OnPostgres {
		return fmt.Errorf("--step %s is for the real lab, which has a PostgreSQL: leave out --lab virtual, or check --step %s", s.step, catalogue.OnFile)
	}
	if s.client.New != nil && (s.foreign() || s.lab == lab.Virtual) {
		return fmt.Errorf("--client %s is for the kit's steps in the real lab: add --step N, and leave out --lab", s.client.Name)
	}
	if s.OwnPage && (s.step != "" || s.URL != "" || len(s.Command) > 0) {
		return errors.New("--own-page is for the application that a redial.yaml describes: leave it out, or name the file with --config")
	}
	if c.Flags().Changed("points") && (s.sweep != runner.SweepSingle || s.points < 1) {
		return errors.New("--points is a whole number from 1, and for --sweep single")
	}
	if s.whole && s.sweep != runner.SweepSingle {
		return errors.New("--whole is for --sweep single")
	}
	if s.auto && (s.sweep != "" || s.shard != "" || s.expect != "") {
		return errors.New("--level auto plays whole levels: leave out --sweep, --shard and --expect, or name the level")
	}
	if s.sweep == "" {
		return nil
	}
	if s.files.badge != "" || s.files.summary != "" {
		return errors.New("a sweep has no verdict on a level: leave out --badge and --summary, or --sweep")
	}
	switch {
	case !slices.Contains(runner.SweepKinds, s.sweep):
		return fmt.Errorf("there is no sweep %q; there are %s", s.sweep, strings.Join(runner.SweepKinds, ", "))
	case s.lab != lab.Virtual:
		return errors.New("--sweep is for the virtual lab: add --lab virtual")
	case s.scenario != "" || s.own != "":
		return errors.New("a sweep plays stories, not scenarios: leave out --scenario and --scenarios, or --sweep")
	case s.expect != "" || s.shard != "":
		return errors.New("a sweep has no scenarios: leave out --expect and --shard, or --sweep")
	case s.timeLimit > 0 && s.sweep != runner.SweepSingle:
		return errors.New("a sweep of pairs or of random plans is bounded by --runs: leave out --time-limit")
	case c.Flags().Changed("parallel"):
		return errors.New("a sweep has one run under way for each core: leave out --parallel or --sweep")
	}
	if !c.Flags().Changed("runs") {
		s.runs = 0 // the sweep's own default
	}
	return nil
}

// foreign tells whether the server is not one of the kit's.
func (s *checking) foreign() bool { return s.step == "" }

func (s *checking) check() (int, error) {
	which, err := s.scenarios()
	if err != nil {
		return 0, err
	}
	server, err := s.server()
	if err != nil {
		return 0, err
	}
	if s.client.New != nil && server.Level == contract.DurableDelivery {
		return 0, fmt.Errorf("the client %s does not offer %s: a message would have to survive the end of the client", s.client.Name, contract.DurableDelivery)
	}
	bounded, cancel := runner.Within(context.Background(), s.timeLimit)
	defer cancel()
	neverUp := false
	if s.foreign() {
		defer watchMemory()()
		ctx, stop := interruptibleIn(bounded)
		err := s.preflight(ctx, &server)
		interrupted := ctx.Err() != nil && bounded.Err() == nil
		stop()
		switch {
		case interrupted:
			return 0, errInterrupted
		case bounded.Err() != nil: // then run reports that no scenario was played
			neverUp = errors.Is(err, lab.ErrUnreachable)
			if neverUp {
				printError(err)
			}
		case err != nil:
			return 0, err
		}
		if wait := runner.HeartbeatWaits(server, which); wait != "" && !s.quiet {
			fmt.Fprintln(os.Stderr, wait)
		}
	}
	code, err := s.run(bounded, report.Report{Target: server.Name, Level: server.Level}, []servers.Server{server}, which)
	if neverUp && err == nil {
		code = report.ExitUsage
	}
	return code, err
}

// preflight examines the server before the first run.
func (s *checking) preflight(ctx context.Context, server *servers.Server) error {
	if !s.quiet {
		slow := &slowSteps{to: os.Stderr}
		slow.begin("starting the server, and sending a message through it")
		defer slow.end()
	}
	return runner.Preflight(ctx, server)
}

// server makes the server that the flags name.
func (s *checking) server() (servers.Server, error) {
	server, err := s.named()
	switch {
	case err != nil:
		return server, err
	case server.Server.Target == nil && s.lab == lab.Real:
		return server, fmt.Errorf("%s is for the virtual lab: add --lab virtual", server.Name)
	case s.parallel > 0 && server.Shared:
		return server, errors.New("runs on this server take turns, since they may share its data: leave out --parallel, or declare the target isolated in a redial.yaml")
	}
	if !s.realNetwork {
		return server, nil
	}
	if server.NewPage == nil {
		return server, errors.New("--real-network is for an application's own page: its redial.yaml needs a section page (and --own-page, where there is a section socket)")
	}
	if err := paths.Available(); err != nil {
		return server, fmt.Errorf("--real-network: %w", err)
	}
	server.RealNetwork = true
	return server, nil
}

func (s *checking) named() (servers.Server, error) {
	named := s.application.named() + count(s.step != "")
	if named != 1 && (named > 1 || !s.inThisFolder()) {
		return servers.Server{}, errors.New("check needs one of --config FILE, --step N, --url URL, or -- COMMAND")
	}
	level, err := levelOf(s.level)
	if err != nil {
		return servers.Server{}, err
	}
	if s.step == "" {
		return s.Server(level)
	}
	server, err := servers.Step(s.step)
	if err == nil && level != "" {
		server.Level = level
	}
	return server, err
}

// levelOf is the level with the name, and none without a name.
func levelOf(name string) (contract.Level, error) {
	if name == "" {
		return "", nil
	}
	return contract.ParseLevel(name)
}
