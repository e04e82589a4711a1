//go:build !js

package lessons

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"redial/steps/internal/serve"
)

// usageError is an error in the arguments or the environment.
type usageError struct{ error }

// Main runs the step that the first argument names until SIGINT or SIGTERM, and returns the
// exit code: 0 if it was stopped, 1 if the step could not run, 3 for a wrong argument or
// environment variable. An error is one line on stderr. Step 9 takes a second argument, the
// number of servers to start, 1 by default.
func Main(arguments []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the process at once.
	context.AfterFunc(ctx, stop)
	err := runArguments(ctx, arguments)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.As(err, new(usageError)) {
		return 3
	}
	return 1
}

func runArguments(ctx context.Context, arguments []string) error {
	if len(arguments) < 1 || len(arguments) > 2 {
		return usageError{errors.New("which step? For example: go run ./steps 7")}
	}
	lesson, err := Find(arguments[0])
	if err != nil {
		return usageError{err}
	}
	if len(arguments) == 2 {
		count, err := strconv.Atoi(arguments[1])
		if lesson.Number != "9" || err != nil || count < 1 || count > maxNodes {
			return usageError{fmt.Errorf("which step? Only step 9 takes a second argument, the number of servers, from 1 to %d: go run ./steps 9 2", maxNodes)}
		}
		return runNodes(ctx, lesson, count)
	}
	environment, err := fromEnvironment(lesson)
	if err != nil {
		return err
	}
	return run(ctx, lesson, environment)
}

func fromEnvironment(lesson Lesson) (serve.Environment, error) {
	environment, err := serve.FromEnvironment(filepath.Join("out", "step-"+lesson.Number))
	if err != nil {
		err = usageError{err}
	}
	return environment, err
}

func run(ctx context.Context, lesson Lesson, environment serve.Environment) error {
	// Listen first: a server that listens on this port may have opened the data folder.
	listener, err := serve.Listen(environment.Address)
	if err != nil {
		return err
	}
	handler, closer, err := Handler(lesson, environment.Settings)
	if err != nil {
		_ = listener.Close()
		return err
	}
	if _, err := Bundle(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Printf("Step %s (%s) is at %s (process %d) - Ctrl-C stops it\n", lesson.Number, lesson.Title, serve.URL(listener), os.Getpid())
	return serve.Run(ctx, listener, handler, closer)
}
