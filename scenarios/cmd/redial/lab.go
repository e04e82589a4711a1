package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"redial/harness/lab"
	"redial/scenarios/labpage/host"
)

func newLab() *cobra.Command {
	return &cobra.Command{
		Use:   "lab",
		Short: "Serve the lab page: edit faults on a chat, and see at once which messages are lost",
		Long: `lab serves a page on which the plan of a run is the document: type messages, cut
connections between two frames, refresh pages, kill the server, and see the run drawn again
after each change. The port is 3000, or PORT. Ctrl-C ends it.`,
		Example:           "  redial lab\n  PORT=4000 redial lab",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, arguments []string) error {
			if len(arguments) > 0 {
				return errors.New("lab takes no argument: redial lab")
			}
			return serveLab(c.OutOrStdout())
		},
	}
}

func serveLab(out io.Writer) error {
	prepare(lab.Virtual)
	port := cmp.Or(os.Getenv("PORT"), "3000")
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %s is in use: choose another, or a free one with PORT=0 redial lab", port)
	}
	if err != nil {
		return fmt.Errorf("the lab cannot listen on port %q: %w", port, err)
	}
	ctx, stop := interruptible()
	defer stop()
	server := &http.Server{
		Handler: host.Handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }, // so that Ctrl-C ends real runs
	}
	fmt.Fprintf(out, "The lab is at http://localhost:%d - Ctrl-C ends it\n", listener.Addr().(*net.TCPAddr).Port)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stop() // a second Ctrl-C ends the process at once
	ending, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}
