package contract_test

import (
	"fmt"

	"redial/harness/contract"
)

// The rules whose breaking fails a server that promises recovery, and those that are only
// reported.
func ExampleRule_MustAt() {
	level, err := contract.ParseLevel("recovery")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(level.AtLeast(contract.Basic), level.AtLeast(contract.ServerDelivery))
	for _, rule := range contract.Rules {
		if !rule.MustAt(level) {
			fmt.Printf("%s: %s\n", rule.ID, rule.Sentence)
		}
	}
	// Output:
	// true false
	// no-repeat: The server sends a page no message twice on one connection, and none that the page's offset already covers.
}
