package client_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/history"
	"redial/steps/lessons"
)

// A client records what it observes. This one exchanges packets with the tutorial's step 5.
func Example() {
	lesson, err := lessons.Find("5")
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, closer, err := lessons.Handler(lesson, lessons.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closer.Close()
	server := httptest.NewServer(handler)
	defer server.Close()

	events := make(chan history.Event, 10)
	var alice client.Client = wire.New(client.Options{
		Name: "alice", URL: server.URL,
		Record: func(e history.Event) { events <- e },
	})
	if err := alice.Open(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		e := <-events
		fmt.Println(e.Client, e.Kind, "in view", e.View)
	}
	fmt.Println(alice.Status().Connected, alice.Close())
	// Output:
	// alice opened in view 1
	// alice connected in view 1
	// true <nil>
}
