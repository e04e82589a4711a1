package target_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"redial/harness/target"
)

// A server that runs already: Start checks that it answers, and it cannot be stopped.
func ExampleNewURL() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	chat, err := target.NewURL(server.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer chat.Close()
	err = chat.Start(context.Background())
	fmt.Println(err, chat.Address() == server.Listener.Addr().String())
	fmt.Println(errors.Is(chat.Kill(), target.ErrUnsupported))
	// Output:
	// <nil> true
	// true
}
