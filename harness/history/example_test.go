package history_test

import (
	"fmt"
	"os"

	"redial/harness/history"
)

// A history is a line of JSON for each event.
func ExampleWrite() {
	err := history.Write(os.Stdout, []history.Event{
		{Kind: history.Connected, Client: "bob", View: 1, Recovered: true},
		{Kind: history.Shown, Client: "bob", View: 1, Message: "hello", Offset: 7},
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"at":"0s","kind":"connected","client":"bob","view":1,"recovered":true}
	// {"at":"0s","kind":"shown","client":"bob","view":1,"message":"hello","offset":7}
}
