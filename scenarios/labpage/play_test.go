package labpage

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/report"
)

// ordinary is a conversation in which a connection is cut and comes back.
const ordinary = `{"seed":1,"clients":[{"name":"alice"},{"name":"bob"}],"script":[
	{"do":"open","client":"alice"},{"do":"open","client":"bob"},{"do":"await-connected"},{"do":"wait","for":"500ms"},
	{"do":"send","client":"alice","text":"hello"},{"do":"wait","for":"500ms"},
	{"do":"break","fault":{"kind":"cut","client":"bob"}},{"do":"wait","for":"200ms"},
	{"do":"send","client":"alice","text":"meanwhile"},{"do":"wait","for":"3s"}]}`

func request(step, p string) Request {
	return Request{Step: step, Plan: json.RawMessage(p), View: View{Width: 900, Language: report.Korean, Detail: true}}
}

func TestPlayOnEveryStepGivesTheVerdictOfItsPromise(t *testing.T) {
	for step, want := range map[string]struct {
		level   contract.Level
		outcome check.Outcome
	}{
		"5": {contract.Basic, check.Pass}, "6": {contract.Recovery, check.Pass}, "7": {contract.ServerDelivery, check.Pass},
		"8": {contract.ClientDelivery, check.Pass}, "9": {contract.ClientDelivery, check.Pass}, "10": {contract.DurableDelivery, check.Pass},
		"published-6": {contract.Recovery, check.Pass}, "published-7": {contract.ServerDelivery, check.Pass}, "published-8": {contract.ClientDelivery, check.Pass},
	} {
		r := Play(context.Background(), request(step, ordinary))
		if r.Error != "" || r.Outcome != want.outcome || r.Level != want.level {
			t.Errorf("step %s: %q %s at %s (%s), want %s at %s", step, r.Error, r.Outcome, r.Level, r.Reason, want.outcome, want.level)
			continue
		}
		if !strings.HasPrefix(r.SVG, "<svg") || !strings.Contains(r.SVG, `lang="ko"`) || !strings.Contains(r.SVG, "data-frame") {
			t.Errorf("step %s: the drawing is not one in Korean, with frames: %.200s", step, r.SVG)
		}
		if len(r.Began) != len(r.Plan.Script)+1 || r.Began[4] < 500 {
			t.Errorf("step %s: the script began at %v", step, r.Began)
		}
		if rows := len(r.Log); (rows == 2) != want.level.AtLeast(contract.ServerDelivery) {
			t.Errorf("step %s has %d rows of a log", step, rows)
		}
	}
}

// A visitor who leaves cancels the run, which the next one has to see to its end.
func TestACancelledRunIsPlayedAgain(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	asked := request("7", strings.Replace(ordinary, "hello", "hello again", 1))
	Play(gone, asked)
	if r := Play(t.Context(), asked); r.Outcome != check.Pass || r.Problem != "" {
		t.Errorf("%s: %s", r.Outcome, r.Problem)
	}
}

func TestPlayShowsWhatEachPageShows(t *testing.T) {
	shown := func(step string) (texts []string, states string) {
		r := Play(context.Background(), request(step, ordinary))
		for _, m := range r.Pages[1].Moments {
			switch m.Kind {
			case history.Shown:
				texts = append(texts, m.Text)
			case history.Connected, history.Disconnected:
				states += m.State + " "
			}
		}
		return texts, states
	}
	if texts, states := shown("5"); len(texts) != 1 || states != "connected disconnected connected " {
		t.Errorf("bob at step 5 shows %q and is %s", texts, states)
	}
	if texts, states := shown("6"); len(texts) != 2 || states != "connected disconnected recovered " {
		t.Errorf("bob at step 6 shows %q and is %s", texts, states)
	}
	r := Play(context.Background(), request("6", ordinary))
	if len(r.Sessions) != 1 || r.Sessions[0].Client != "bob" || !r.Sessions[0].Recovered || r.Sessions[0].Until <= r.Sessions[0].From {
		t.Errorf("the server keeps %+v", r.Sessions)
	}
}

func TestSenderOfAnObjectWhoseKeysAreReordered(t *testing.T) {
	pages := pagesOf(plan.Plan{Clients: []plan.Client{{Name: "alice"}, {Name: "bob"}}}, []history.Event{
		{Kind: history.Sent, Client: "alice", Message: `{"b":1,"a":2}`}, {Kind: history.Shown, Client: "bob", Message: `{"a":2,"b":1}`},
	})
	if m := pages[1].Moments; len(m) != 1 || m[0].From != "alice" {
		t.Errorf("bob's page has %+v", m)
	}
}

func TestPlayMarksALossThatWasNotPromised(t *testing.T) {
	restart := strings.Replace(ordinary, `{"do":"send","client":"alice","text":"meanwhile"}`,
		`{"do":"send","client":"alice","text":"meanwhile"},{"do":"wait","for":"100ms"},{"do":"kill-server"},{"do":"wait","for":"500ms"},{"do":"start-server"}`, 1)
	r := Play(context.Background(), request("6", restart))
	if beyond := check.JudgeAt(contract.DurableDelivery, r.Events); !reflect.DeepEqual(*r.Beyond, beyond) {
		t.Errorf("the verdict by the highest level was changed: %+v, want %+v", *r.Beyond, beyond)
	}
	if r.Outcome != check.Pass || r.Beyond.Outcome != check.Fail || r.Beyond.Lost != 1 || r.Findings[0].Promised || r.Findings[0].Rule != contract.NoLoss || r.Findings[0].Client != "bob" || r.Findings[0].Message != "meanwhile" {
		t.Fatalf("%s %s %+v", r.Outcome, r.Reason, r.Findings)
	}
	if said := r.Findings[0].Expected + r.Findings[0].Observed; said != "표시되어야 합니다. “영속 전달” 수준은, 실행이 끝날 때 열려 있고 연결된 페이지에 다른 페이지가 표시한(이벤트 14) 메시지를 모두 표시한다고 약속합니다.페이지에는 다른 메시지 3개만 있고, 이 메시지는 없습니다." {
		t.Errorf("the loss is explained as %s", said)
	}
	if r.Findings[0].Sentence != report.Korean.Rule(contract.NoLoss) || !strings.Contains(r.SVG, `data-rule="no-loss"`) {
		t.Errorf("the loss is not marked with its rule: %+v", r.Findings[0])
	}
	shrunk := request("6", restart)
	shrunk.Shrink = true
	small := Play(context.Background(), shrunk)
	if small.Beyond.Outcome != check.Fail || small.Findings[0].Rule != contract.NoLoss || len(small.Plan.Script) >= len(r.Plan.Script) {
		t.Errorf("shrunk to %d steps of %d: %s %s %s", len(small.Plan.Script), len(r.Plan.Script), small.Error, small.Beyond.Outcome, small.Beyond.Reason)
	}
}

func TestPlayDrawsAWindowOfARunAgain(t *testing.T) {
	r := request("7", ordinary)
	whole := Play(context.Background(), r)
	r.View = View{From: 0, To: 400, Width: 390, Language: report.English, Only: true}
	part := Play(context.Background(), r)
	if part.Plan != nil || len(part.SVG) == 0 || len(part.SVG) >= len(whole.SVG) || !strings.Contains(part.SVG, `width="390"`) {
		t.Errorf("the window has %d bytes, the whole %d", len(part.SVG), len(whole.SVG))
	}
}

func TestPlayRefusesInOneLine(t *testing.T) {
	script := func(s string) string { return `{"seed":1,"clients":[{"name":"a"}],"script":[` + s + `]}` }
	for want, r := range map[string]Request{
		"there is no step":        request("11", ordinary),
		"there is no plan":        request("5", " "),
		"not a plan":              request("5", `{"sed":1}`),
		"no page":                 request("5", `{"clients":[]}`),
		"room for 6":              request("5", `{"clients":[{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"},{"name":"e"},{"name":"f"},{"name":"g"}]}`),
		"unknown action":          request("5", script(`{"do":"fly"}`)),
		"which is no client":      request("5", script(`{"do":"open","client":"zoe"}`)),
		"longest is 10m0s":        request("5", script(`{"do":"wait","for":"11m"}`)),
		"room for 300":            request("5", script(`{"do":"send","client":"a","text":"x","count":301}`)),
		"more than 2000":          request("5", script(`{"do":"send","client":"a","text":"`+strings.Repeat("x", 2001)+`"}`)),
		"needs a count":           request("5", script(`{"do":"start-sending","client":"a","text":"x"},{"do":"stop-sending","client":"a"}`)),
		"the plan has 64 KB":      request("5", `{"clients":[`+strings.Repeat(" ", 64<<10)+`]}`),
		"too often":               request("5", `{"clients":[{"name":"a"}],"tuning":{"pingInterval":"1ms"}}`),
		"nothing to shrink":       {Step: "7", Plan: json.RawMessage(ordinary), Shrink: true},
		"one server":              request("9", `{"clients":[{"name":"a","node":"b"}]}`),
		"there is no defect":      request("broken:none", ordinary),
		"the name of the step is": request(strings.Repeat("5", 61), ordinary),
	} {
		got := Play(context.Background(), r)
		if !strings.Contains(got.Error, want) || strings.Contains(got.Error, "\n") || got.Plan != nil {
			t.Errorf("%q does not say %q", got.Error, want)
		}
	}
}

func TestPlayGivesUpWhatCannotBePlayedToItsEnd(t *testing.T) {
	r := Play(context.Background(), request("5", `{"clients":[{"name":"a"}],"script":[{"do":"send","client":"a","text":"x"}]}`))
	if r.Error != "" || r.Outcome != check.Inconclusive || r.Problem == "" {
		t.Errorf("%q %s %q", r.Error, r.Outcome, r.Problem)
	}
}
