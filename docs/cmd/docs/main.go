// Command docs writes the generated parts of the tutorial, and prints the problems of the
// rest: `make docs`, and with -accept `make docs-accept`.
//
// -measure measures what steps 7 and 7a cost, for the plots; it takes a minute. -record
// SCENARIO/STEP plays a scenario in the real lab and saves its history for a picture, if the
// virtual lab cannot play the scenario. Read package docs first, which does all of this.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"redial/docs"
	"redial/scenarios/exercises"
	"redial/scenarios/servers"
)

func main() {
	servers.BecomeStep()
	accept := flag.Bool("accept", false, "both languages were looked at: lock every section as it is")
	measure := flag.Bool("measure", false, "measure anew what step 7 and step 7a cost")
	record := flag.String("record", "", "play `SCENARIO/STEP` in the real lab and keep its history for the picture")
	flag.Parse()
	if err := run(*accept, *measure, *record); err != nil {
		fmt.Fprintln(os.Stderr, "docs: "+err.Error())
		os.Exit(1)
	}
}

func run(accept, measure bool, record string) error {
	root, err := exercises.Root()
	if err != nil {
		return err
	}
	before, err := docs.Load(root)
	if err != nil {
		return err
	}
	if record != "" {
		scenario, step, _ := strings.Cut(record, "/")
		if before, err = docs.Record(before, scenario, step); err != nil {
			return err
		}
		_, err = before.Write(root)
		return err
	}
	if measure {
		costs, err := docs.Measure(docs.Histories, 5)
		if err != nil {
			return err
		}
		before["docs/measured.csv"] = docs.CSV(costs)
	}
	sources := &docs.Sources{Root: root}
	after, err := sources.Generate(before)
	if err != nil {
		return err
	}
	if accept {
		after = docs.Accept(after)
	}
	changed, err := after.Write(root)
	for _, name := range changed {
		fmt.Println("wrote " + name)
	}
	if err != nil {
		return err
	}
	problems, err := sources.Check(after)
	for _, p := range problems {
		fmt.Println(p)
	}
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%d things are wrong with the pages", len(problems))
	}
	return err
}
