//go:build !js

package lessons

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"redial/steps/internal/serve"
)

// Exit codes of Main.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 3
)

// Main runs the step that the first argument names until SIGINT or SIGTERM, and
// returns the exit code: 0 after being stopped, 1 when the step could not run, 3
// when it was asked for wrongly. What is wrong is said on stderr in one line. For step
// 9 a second argument says how many servers to start; without it, it is one.
func Main(arguments []string) int {
	if len(arguments) < 1 || len(arguments) > 2 {
		return complain(exitUsage, fmt.Errorf("which step? For example: go run ./steps 7"))
	}
	lesson, err := Find(arguments[0])
	if err != nil {
		return complain(exitUsage, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C is the system's own and ends the process at once.
	context.AfterFunc(ctx, stop)
	if len(arguments) == 2 {
		err = several(ctx, lesson, arguments[1])
	} else {
		err = single(ctx, lesson)
	}
	if wrong := new(usage); errors.As(err, wrong) {
		return complain(exitUsage, err)
	}
	if err != nil {
		return complain(exitFailed, err)
	}
	return exitDone
}

// usage is an error of who has started the program.
type usage struct{ error }

func single(ctx context.Context, lesson Lesson) error {
	environment, err := serve.FromEnvironment(dataDir(lesson))
	if err != nil {
		return usage{err}
	}
	return run(ctx, lesson, environment)
}

func several(ctx context.Context, lesson Lesson, count string) error {
	n, err := strconv.Atoi(count)
	if lesson.Number != "9" || err != nil || n < 1 || n > mostNodes {
		return usage{fmt.Errorf("which step? Only step 9 takes a second argument, the number of servers, from 1 to %d: go run ./steps 9 2", mostNodes)}
	}
	return runNodes(ctx, lesson, n)
}

func run(ctx context.Context, lesson Lesson, environment serve.Environment) error {
	// The port first: whoever has it may have the data folder open as well.
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

func complain(code int, err error) int {
	fmt.Fprintln(os.Stderr, err)
	return code
}
