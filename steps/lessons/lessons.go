// Package lessons lists every step of the tutorial by number, in the order of the chapters.
//
// Read [All] first. [Handler] makes a step an http.Handler, which is all that a test needs;
// [Main] runs one from the command line.
//
// lessons imports the steps, and must not import the harness that tests them.
package lessons

import (
	"fmt"
	"io"
	"net/http"
	"strings"

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

// Settings are the options of a step. The zero value is valid.
type Settings = serve.Settings

// ErrNoBundle is Bundle's only error. Its text names the command that fetches the client.
var ErrNoBundle = serve.ErrNoBundle

// A Lesson is one step.
type Lesson struct {
	// Number is "7" or "7a", for example.
	Number string
	// Title names what the step adds.
	Title string
	// New makes the step's server. The handler serves until the closer is closed. Close ends
	// all that New has started.
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

// Find returns the step with that number, or an error that lists all numbers.
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

// ClientVersion is the pinned version of socket.io-client.
const ClientVersion = serve.ClientVersion

// Bundle is the pinned socket.io.js that the pages load, or ErrNoBundle.
func Bundle() ([]byte, error) { return serve.Bundle() }

// FetchBundle is Bundle, but has npm fetch a missing bundle into the user's cache.
func FetchBundle() ([]byte, error) { return serve.Fetch() }

// FetchMessagePackBundle is FetchBundle for the build that encodes packets as MessagePack.
func FetchMessagePackBundle() ([]byte, error) { return serve.FetchMessagePack() }

// Handler is lesson.New, with the bundle at /socket.io/socket.io.js, from where the pages
// load it.
func Handler(lesson Lesson, settings Settings) (http.Handler, io.Closer, error) {
	step, closer, err := lesson.New(settings)
	if err != nil {
		return nil, nil, err
	}
	return serve.WithBundle(step), closer, nil
}
