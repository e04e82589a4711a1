// Command site checks the site that `make site` has built, or serves it on this machine
// (`make site-serve`). Read package docs/internal/site first, which does both.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"redial/docs/internal/site"
	"redial/scenarios/exercises"
)

func main() {
	check := flag.Bool("check", false, "follow every link of the site, instead of serving it")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "site: "+err.Error())
		os.Exit(1)
	}
}

func run(check bool) error {
	root, err := exercises.Root()
	if err != nil {
		return err
	}
	folder, base := filepath.Join(root, "out", "site"), site.Base(os.Getenv("SITE_BASE"))
	if _, err := os.Stat(filepath.Join(folder, "index.html")); err != nil {
		return fmt.Errorf("there is no site in %s: build it with `make site`", folder)
	}
	if check {
		links, wrong, err := site.Check(folder, base)
		for _, line := range wrong {
			fmt.Println(line)
		}
		if err == nil && len(wrong) > 0 {
			err = fmt.Errorf("%d things are wrong with the site", len(wrong))
		}
		if err == nil {
			fmt.Printf("%d links and resources were followed: none is dead, none is fetched from elsewhere.\n", links)
		}
		return err
	}
	port := cmp.Or(os.Getenv("PORT"), "3000")
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	fmt.Printf("The site is at http://localhost:%s%s - Ctrl-C stops it.\n", port, base)
	return http.Serve(listener, site.Handler(folder, base))
}
