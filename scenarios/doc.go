// Package scenarios is the catalogue: the cases by name, each a script with its
// faults and what every step of the tutorial must show in it, as Ginkgo specs.
//
// Read [Scenario] and catalogue.go first: a scenario is data and a line of why.
// specs.go makes the Ginkgo tree out of it; `go test ./scenarios` runs the tree on
// the kit's own steps, and the command redial (scenarios/cmd/redial) runs the same
// tree on anybody's server. Ginkgo was chosen because its specs are ordinary Go
// values: the tree can be built for a server that is known only at run time,
// filtered by label, and interrupted cleanly.
package scenarios
