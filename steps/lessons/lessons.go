// Package lessons is the table of contents: every step of the tutorial, by number,
// in the order in which to read them.
//
// Read [All] first. [Handler] gives a step as an http.Handler, which is all that a
// test needs; [Main] runs one from the command line.
//
// lessons knows the steps, and nothing of the harness that tries them.
package lessons

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"redial/steps/internal/serve"
	"redial/steps/step1"
	"redial/steps/step10"
	"redial/steps/step2"
	"redial/steps/step3"
	"redial/steps/step4"
	"redial/steps/step5"
	"redial/steps/step6"
	"redial/steps/step7"
	"redial/steps/step7a"
	"redial/steps/step8"
	"redial/steps/step9"
)

// Settings are what a step can be told; the zero value is valid.
type Settings = serve.Settings

// ErrNoBundle is Bundle's only error; its text says how to fetch what is missing.
var ErrNoBundle = serve.ErrNoBundle

// A Lesson is one step.
type Lesson struct {
	// Number is how the step is asked for: "7", "7a".
	Number string
	// Title is what the step adds, in a few words.
	Title string
	// New makes the step's server. The handler serves until the closer is closed;
	// what New starts has ended, or is about to, when Close returns.
	New func(Settings) (http.Handler, io.Closer, error)
	// Page is the step's index.html.
	Page []byte
}

// All is every step, in reading order.
var All = []Lesson{
	{"1", "project", step1.New, step1.Page},
	{"2", "a page", step2.New, step2.Page},
	{"3", "a connection", step3.New, step3.Page},
	{"4", "events", step4.New, step4.Page},
	{"5", "broadcasting", step5.New, step5.Page},
	{"6", "connection state recovery", step6.New, step6.Page},
	{"7", "server delivery", step7.New, step7.Page},
	{"7a", "the whole state", step7a.New, step7a.Page},
	{"8", "client delivery", step8.New, step8.Page},
	{"9", "several servers", step9.New, step9.Page},
	{"10", "durable delivery", step10.New, step10.Page},
}

// Find gives the step with that number, or says which there are.
func Find(number string) (Lesson, error) {
	var numbers []string
	for _, lesson := range All {
		if lesson.Number == number {
			return lesson, nil
		}
		numbers = append(numbers, lesson.Number)
	}
	return Lesson{}, fmt.Errorf("there is no step %q; the steps are %s", number, strings.Join(numbers, ", "))
}

// ClientVersion is that of the socket.io-client which is pinned.
const ClientVersion = serve.ClientVersion

// Bundle is the pinned socket.io.js that the pages load, or ErrNoBundle.
func Bundle() ([]byte, error) { return serve.Bundle() }

// FetchBundle is Bundle, which npm fetches into the user's cache where it is not here.
func FetchBundle() ([]byte, error) { return serve.Fetch() }

// FetchMessagePackBundle is FetchBundle for the build of the client library that speaks
// MessagePack.
func FetchMessagePackBundle() ([]byte, error) { return serve.FetchMessagePack() }

// Handler is lesson.New with the browser bundle at /socket.io/socket.io.js, where
// the pages look for it.
func Handler(lesson Lesson, settings Settings) (http.Handler, io.Closer, error) {
	step, closer, err := lesson.New(settings)
	if err != nil {
		return nil, nil, err
	}
	return serve.WithBundle(step), closer, nil
}

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
