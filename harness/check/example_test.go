package check_test

import (
	"fmt"
	"strings"

	"redial/harness/check"
	"redial/harness/history"
)

// A history can be written by hand. In this one bob misses a message that connection state
// recovery should have delivered.
func ExampleJudge() {
	events, err := history.Read(strings.NewReader(`
{"kind":"began","level":"recovery","plan":{"clients":[{"name":"alice"},{"name":"bob"}],"script":[]}}
{"kind":"opened","client":"alice","view":1}
{"kind":"opened","client":"bob","view":1}
{"kind":"connected","client":"alice","view":1}
{"kind":"connected","client":"bob","view":1}
{"kind":"sent","client":"alice","view":1,"message":"hello"}
{"kind":"shown","client":"alice","view":1,"message":"hello"}
{"kind":"disconnected","client":"bob","view":1,"detail":"transport close"}
{"kind":"connected","client":"bob","view":1}
{"kind":"barrier"}
{"kind":"ended"}
`[1:]))
	if err != nil {
		fmt.Println(err)
		return
	}
	verdict := check.Judge(events)
	fmt.Println(verdict.Outcome, verdict.Rule(), verdict.Lost, "lost")
	// Output: fail no-loss 1 lost
}
