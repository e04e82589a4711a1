package step7a

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

func TestStateAfterARestart(t *testing.T) {
	s := chattest.Start(t, New, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	if got := ann.Next(); got.Name != "state" || fmt.Sprint(got.Args) != "[[]]" {
		t.Fatalf("the first page receives %+v, want an empty state", got)
	}
	for _, args := range [][]any{{}, {7}, {map[string]any{}}} {
		if answer, err := ann.Ask("chat message", args...); err != nil || answer["error"] == nil {
			t.Errorf("the acknowledgement of %v is %v, %v, want an error", args, answer, err)
		}
	}
	if answer, err := ann.Ask("chat message", "<b>one</b>"); err != nil || answer["offset"] != float64(1) {
		t.Fatalf("the acknowledgement is %v, %v", answer, err)
	}
	s.Stop()
	s = chattest.Start(t, New, serve.Settings{DataDir: s.Folder})
	if got := rawclient.Connect(t, s.URL, nil).Next(); fmt.Sprint(got.Args) != "[[<b>one</b>]]" {
		t.Errorf("after the restart a page receives %+v", got)
	}
}

// A page shows the state and then the live messages: no message may fall between the two or be
// in both.
func TestStateAndLiveMessagesAreOneStream(t *testing.T) {
	const writers, each = 4, 60
	url := chattest.Start(t, New, serve.Settings{}).URL
	var work sync.WaitGroup
	for w := range writers {
		writer := rawclient.Connect(t, url, nil)
		work.Go(func() {
			for i := range each {
				if answer, err := writer.Ask("chat message", fmt.Sprintf("%d-%d", w, i)); err != nil || answer["error"] != nil {
					t.Errorf("the acknowledgement is %v, %v", answer, err)
				}
			}
		})
	}
	lists := make([][]string, 20)
	for r := range lists {
		work.Go(func() {
			time.Sleep(time.Duration(r) * 5 * time.Millisecond)
			reader, err := rawclient.Dial(t, url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			lists[r], err = read(reader, writers*each)
			if err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	for r, list := range lists {
		if fmt.Sprint(list) != fmt.Sprint(lists[0]) {
			t.Errorf("reader %d shows %v, and reader 0 %v", r, list, lists[0])
		}
	}
	once := map[string]bool{}
	for _, text := range lists[0] {
		once[text] = true
	}
	if len(once) != writers*each {
		t.Errorf("%d different messages are shown, want %d", len(once), writers*each)
	}
}

// read returns the list of a page when it has count messages.
func read(client *rawclient.Client, count int) (list []string, err error) {
	timeout := time.After(rawclient.Timeout)
	for first := true; first || len(list) < count; first = false {
		select {
		case event := <-client.Events:
			switch event.Name {
			case "state":
				list = nil
				for _, text := range event.Args[0].([]any) {
					list = append(list, text.(string))
				}
			case "chat message":
				list = append(list, event.Args[0].(string))
			}
		case <-timeout:
			return nil, fmt.Errorf("only %d of %d messages came", len(list), count)
		}
	}
	return list, nil
}
