// Command steps runs one step of the tutorial: go run ./steps 7
//
// Read package lessons for what there is, or open a step's chat.go and index.html
// side by side: that pair is the whole lesson.
package main

import (
	"os"

	"redial/steps/lessons"
)

func main() { os.Exit(lessons.Main(os.Args[1:])) }
