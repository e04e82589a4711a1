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

// global is the object that JavaScript finds the functions in. Each takes one argument and
// returns a Promise; arguments and results are JSON.
const global = "redialLab"

// gcPercent lets the heap grow to five times what is in use: a run leaves some megabytes
// behind, and there is one thread for it and for the collector.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	log.SetOutput(console{})
	js.Global().Set(global, map[string]any{
		// The official client library, without which pages have none.
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

// console receives the log lines of servers. A write to a file waits for a callback from
// JavaScript. Inside a run, which has a fake clock, that wait panics in a browser, and lets
// time pass in Node.js.
type console struct{}

func (console) Write(line []byte) (int, error) {
	js.Global().Get("console").Call("error", string(bytes.TrimSuffix(line, []byte("\n"))))
	return len(line), nil
}

// function makes a JavaScript function of f. It returns at once; f has a goroutine of its
// own, which may wait for JavaScript. An error or a panic rejects the Promise. (A panic of
// another goroutine ends the program: see wasm.js.)
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
