//go:build !js

// Command labwasm is the virtual lab as WebAssembly: the server, SQLite, the pages and the
// official client in a browser tab, or in Node.js. Built for any other system, it is the
// command that builds it:
//
//	go run ./scenarios/cmd/labwasm FOLDER
//
// Read main_js.go first: it gives JavaScript the functions of package labpage. Package
// labwasm builds it.
//
// It must not know a scenario, a step or a page: package labpage does.
package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"

	"redial/scenarios/labwasm"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "which folder? For example: go run ./scenarios/cmd/labwasm out/lab")
		os.Exit(3)
	}
	sizes, err := labwasm.Build(context.Background(), os.Args[1], gzip.BestCompression)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("The lab page is in %s: a program of %.1f MB, packed %.1f MB. Any server of files can serve it.\n",
		os.Args[1], float64(sizes.Program)/1e6, float64(sizes.Packed)/1e6)
}
