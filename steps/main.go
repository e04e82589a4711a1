// Command steps runs one step of the tutorial: go run ./steps 7
//
// Package lessons lists the steps. A step is its chat.go and its index.html: read the two
// side by side.
package main

import (
	"os"

	"redial/steps/lessons"
)

func main() { os.Exit(lessons.Main(os.Args[1:])) }
