package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"redial/harness/contract"
	"redial/harness/target"
	"redial/scenarios/config"
	"redial/scenarios/doctor"
	"redial/scenarios/servers"
)

// An initializing holds the flags of `redial init`.
type initializing struct {
	application                    // without its config
	line, level                    string
	path, namespace, event, output string
	force, probe, send             bool
	port                           int
	wait                           time.Duration
}

func newInit() *cobra.Command {
	i := &initializing{}
	c := &cobra.Command{
		Use:   "init [--probe] [--url URL | --command LINE | -- COMMAND …]",
		Short: "Write a redial.yaml for an application",
		Long: `init writes a redial.yaml with a comment to each part. In a terminal it asks for what it
needs; elsewhere flags give the answers.

With --probe it finds out how the application speaks: it connects as a client that only
listens, asks you to send one message in the application's own page, and looks where that
arrives. Each line that it writes has a comment on how certain it is.`,
		Example:           "  redial init --command 'node server.js' --level recovery\n  redial init --probe -- node server.js\n  redial init --probe --send --url http://127.0.0.1:3000 --output -",
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
		RunE: func(c *cobra.Command, arguments []string) error {
			if err := i.read(c, arguments); err != nil {
				return err
			}
			return i.write()
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&i.line, "command", "", "the command `LINE` that starts the application, such as 'node server.js'")
	f.IntVar(&i.port, "port", 0, "the port (`N`) that the command listens on, if it ignores PORT")
	f.StringVar(&i.URL, "url", "", "the `URL` of a server that is already running, such as http://127.0.0.1:3000")
	f.StringVar(&i.level, "level", "", fmt.Sprintf("the `LEVEL` that the application promises: %s (default server-delivery, or what --probe sees)", strings.Join(contract.LevelNames(), ", ")))
	f.StringVar(&i.path, "path", "", "the `PATH` of Socket.IO (default /socket.io/)")
	f.StringVar(&i.namespace, "namespace", "", "the Socket.IO `NAMESPACE` (default /)")
	f.StringVar(&i.event, "event", "", "the `EVENT` that carries a message in both directions (default: chat message)")
	f.BoolVar(&i.probe, "probe", false, "watch one message, and write what was observed")
	f.BoolVar(&i.send, "send", false, "with --probe: also send messages, to see how the application acknowledges them")
	f.DurationVar(&i.wait, "wait", time.Minute, "with --probe: how long (`TIME`) to wait for the message")
	f.StringVar(&i.output, "output", config.FileName, "write to `FILE`; - is the standard output")
	f.BoolVar(&i.force, "force", false, "overwrite an existing file")
	_ = c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(contract.LevelNames(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// read validates the flags, and asks for missing ones if the command runs in a terminal.
func (i *initializing) read(c *cobra.Command, arguments []string) (err error) {
	if err := afterDash(c, arguments); err != nil {
		return err
	}
	i.Command = arguments
	if _, err := os.Stat(i.output); err == nil && !i.force && i.output != "-" {
		return fmt.Errorf("%s exists already: overwrite it with --force, or write elsewhere with --output FILE", i.output)
	}
	if !i.probe && (i.send || c.Flags().Changed("wait")) {
		return errors.New("--send and --wait are for --probe: add it, or leave them out")
	}
	if i.probe && i.event != "" {
		return errors.New("--probe sees which event carries a message: leave out --event or --probe")
	}
	if c.Flags().Changed("port") && (i.URL != "" || i.port < 1 || i.port > 65535) {
		return errors.New("--port is a number from 1 to 65535, and for a command: a URL has its own")
	}
	if i.wait < time.Second || i.wait > time.Hour {
		return errors.New("--wait is a time from 1s to 1h, such as 90s")
	}
	named := i.named() + count(i.line != "")
	if named == 0 && isTerminal(os.Stdin) && isTerminal(os.Stderr) {
		i.ask(os.Stdin, os.Stderr)
		named = 1
	}
	if named != 1 {
		return errors.New("init needs one of --command LINE, --url URL, or -- COMMAND")
	}
	if _, err := levelOf(i.level); err != nil {
		return err
	}
	_, err = i.server()
	return err
}

// ask asks for the values that no flag has given.
func (i *initializing) ask(from io.Reader, to io.Writer) {
	lines := bufio.NewScanner(from)
	question := func(text string) (answer string) {
		fmt.Fprintf(to, "%s: ", text)
		if lines.Scan() {
			answer = strings.TrimSpace(lines.Text())
		}
		return answer
	}
	where := question("The command that starts the application, or its URL")
	if strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://") {
		i.URL = where
	} else {
		i.line = where
	}
	if i.level == "" && !i.probe {
		i.level = question(fmt.Sprintf("What it promises, of %s [%s]", strings.Join(contract.LevelNames(), ", "), contract.ServerDelivery))
	}
	if i.event == "" && !i.probe {
		i.event = question("The event that carries a message [chat message]")
	}
}

// server makes the application for a probe. It is ready when it accepts connections, because
// nothing says yet whether it serves a page.
func (i *initializing) server() (servers.Server, error) {
	ready := target.Ready{Accepts: true}
	switch {
	case i.URL != "":
		return servers.URL(i.URL, nil, contract.Basic)
	case len(i.Command) > 0:
		return servers.Command(target.CommandOptions{Command: i.Command, Port: i.port, Ready: ready}, contract.Basic)
	case i.line == "":
		return servers.Server{}, errors.New("init needs one of --command LINE, --url URL, or -- COMMAND")
	}
	return servers.Command(target.CommandOptions{Command: []string{"/bin/sh", "-c", i.line}, Name: i.line, Port: i.port, Ready: ready}, contract.Basic)
}

// write writes the redial.yaml.
func (i *initializing) write() error {
	var draft doctor.Draft
	level := contract.Level(cmp.Or(i.level, string(contract.ServerDelivery)))
	if i.probe {
		var err error
		if draft, err = i.listen(); err != nil {
			return err
		}
		draft.Set(doctor.KeyLevel, i.level)
	} else {
		draft.Set(doctor.KeyLevel, string(level))
		if i.event != "" || i.path != "" || i.namespace != "" {
			draft.SetMessage(cmp.Or(i.event, contract.ChatEvent), level)
		}
	}
	draft.Set(doctor.KeyPath, i.path)
	draft.Set(doctor.KeyNamespace, i.namespace)
	draft.Line, draft.Command, draft.URL, draft.Port = i.line, i.Command, i.URL, i.port
	dir, err := i.dir()
	if err != nil {
		return err
	}
	draft.Dir = dir
	text := draft.YAML()
	if _, err := config.Parse(text); err != nil {
		return fmt.Errorf("this would be no redial.yaml: %w", err)
	}
	put := func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	}
	if i.output == "-" {
		return put(os.Stdout)
	}
	if err := writeFile(i.output, os.O_TRUNC, put); err != nil {
		return errors.Join(err, put(os.Stdout)) // what a probe has observed takes a minute to observe again
	}
	fmt.Fprintf(os.Stderr, "%s is written. Next: redial doctor%s\n", i.output, map[bool]string{false: " --config " + servers.CommandLine(i.output)}[i.output == config.FileName])
	return nil
}

// dir is the current folder, in which the command is written, as seen from that of the file. It
// is empty where both are the same.
func (i *initializing) dir() (string, error) {
	if i.URL != "" || i.output == "-" {
		return "", nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	file, err := filepath.Abs(i.output)
	if err != nil {
		return "", err
	}
	dir, err := filepath.Rel(filepath.Dir(file), here)
	if dir == "." {
		dir = ""
	}
	return filepath.ToSlash(dir), err
}

// listen watches the application while the user sends a message.
func (i *initializing) listen() (draft doctor.Draft, err error) {
	server, err := i.server()
	if err != nil {
		return draft, err
	}
	defer watchMemory()()
	ctx, stop := interruptible()
	defer stop()
	slow := &slowSteps{to: os.Stderr}
	text := fmt.Sprintf("redial %04d", 1000+rand.IntN(9000))
	draft, err = doctor.Listen(ctx, server, doctor.ListenOptions{
		Path: i.path, Namespace: i.namespace, Text: text, Wait: i.wait, Send: i.send, Doing: slow.begin,
		Ready: func(address string) {
			fmt.Fprintf(os.Stderr, "Open %s, send the message\n\n    %s\n\nand press Enter. Waiting for it, %s at most.\n", address, text, i.wait)
			slow.begin(fmt.Sprintf("waiting for %q", text))
		},
	})
	slow.end()
	return draft, unlessInterrupted(ctx, err)
}
