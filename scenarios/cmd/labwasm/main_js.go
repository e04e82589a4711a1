package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"runtime/debug"
	"syscall/js"

	"redial/scenarios/labpage"
	"redial/steps/lessons"
)

// global names the object that holds the functions for JavaScript. Each takes one argument
// and returns a Promise; arguments and results are JSON.
const global = "redialLab"

// gcPercent lets the heap grow to five times the live memory: a run leaves some megabytes of
// garbage, and the collector shares the only thread with it.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	log.SetOutput(console{})
	js.Global().Set(global, map[string]any{
		// Pages need the official client library.
		"provide": function(func(bundle string) (bool, error) {
			lessons.ProvideBundle([]byte(bundle))
			return true, nil
		}),
		"play": function(func(r labpage.Request) (labpage.Response, error) {
			return labpage.Play(context.Background(), r), nil
		}),
		"fragment":  function(labpage.Document.Fragment),
		"parseLink": function(labpage.ParseLink),
		"test":      function(labpage.Document.Test),
	})
	select {}
}

// console receives the log lines of servers. A write to a file would wait for a callback
// from JavaScript. During a run, which has a fake clock, such a wait panics in a browser and
// advances the time in Node.js.
type console struct{}

func (console) Write(line []byte) (int, error) {
	js.Global().Get("console").Call("error", string(bytes.TrimSuffix(line, []byte("\n"))))
	return len(line), nil
}

// function makes a JavaScript function of f. The function returns at once, and f runs in its
// own goroutine, where it may wait for JavaScript. An error or a panic of f rejects the
// Promise. (A panic of another goroutine ends the program: see wasm.js.)
func function[Argument, Result any](f func(Argument) (Result, error)) js.Func {
	return js.FuncOf(func(_ js.Value, arguments []js.Value) any {
		if len(arguments) != 1 || arguments[0].Type() != js.TypeString {
			return reject(fmt.Errorf("one argument is needed: JSON in a string"))
		}
		given := arguments[0].String()
		var executor js.Func
		executor = js.FuncOf(func(_ js.Value, settle []js.Value) any {
			go func() {
				defer executor.Release()
				text, err := call(f, given)
				if err != nil {
					settle[1].Invoke(failure(err))
					return
				}
				settle[0].Invoke(text)
			}()
			return nil
		})
		return js.Global().Get("Promise").New(executor)
	})
}

func call[Argument, Result any](f func(Argument) (Result, error), given string) (text string, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v\n%s", reason, debug.Stack())
		}
	}()
	var argument Argument
	if err := json.Unmarshal([]byte(given), &argument); err != nil {
		return "", err
	}
	result, err := f(argument)
	if err != nil {
		return "", err
	}
	made, err := json.Marshal(result)
	return string(made), err
}

func failure(err error) js.Value { return js.Global().Get("Error").New(err.Error()) }

func reject(err error) js.Value { return js.Global().Get("Promise").Call("reject", failure(err)) }
