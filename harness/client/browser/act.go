package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp/kb"

	"redial/harness/client"
	"redial/harness/internal/words"
)

// pollEvery is the time between two checks of an element or a status.
const pollEvery = 20 * time.Millisecond

// evaluate calls a JavaScript function with the arguments and returns its string.
func (t *tab) evaluate(ctx context.Context, function string, arguments ...string) (string, error) {
	list, err := json.Marshal(append([]string{}, arguments...))
	if err != nil {
		return "", err
	}
	byValue, gesture := true, true
	result, err := cdp.Call(ctx, t.target, runtime.Evaluate, runtime.EvaluateParams{
		Expression: "(" + function + ")(..." + string(list) + ")", ReturnByValue: &byValue, UserGesture: &gesture,
	})
	if err != nil {
		return "", err
	}
	if e := result.ExceptionDetails; e != nil {
		if e.Exception != nil {
			return "", errors.New(e.Exception.Description)
		}
		return "", errors.New(e.Text)
	}
	var text string
	return text, json.Unmarshal(result.Result.Value, &text)
}

// visible waits until the element exists, is visible and is not disabled. The document may
// change meanwhile, because a step of Enter may load another page.
func (t *tab) visible(ctx context.Context, selector string, bound time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("within %s", bound))
	defer cancel()
	state, where := "", ""
	for {
		found, err := t.evaluate(ctx, `(selector) => {
			const element = document.querySelector(selector);
			const state = !element ? "there is none"
				: element.getClientRects().length === 0 || getComputedStyle(element).visibility === "hidden" ? "it is not visible"
				: element.disabled ? "it is disabled" : "";
			return JSON.stringify([state, location.pathname]);
		}`, selector)
		if err != nil && strings.Contains(err.Error(), "not a valid selector") {
			return fmt.Errorf("%q is no CSS selector", selector)
		}
		var answer [2]string
		if err == nil && json.Unmarshal([]byte(found), &answer) == nil {
			if state, where = answer[0], answer[1]; state == "" {
				return nil
			}
		}
		if sleep(ctx, pollEvery) != nil {
			if state == "" {
				state = "the page does not answer"
			}
			return fmt.Errorf("the element %q on the page %s: %s %w", selector, where, state, context.Cause(ctx))
		}
	}
}

// fill replaces the content of an element with the text.
func (t *tab) fill(ctx context.Context, selector, text string) error {
	if _, err := t.evaluate(ctx, `(selector) => {
		const element = document.querySelector(selector);
		element.focus();
		if (element.select) element.select();
		else getSelection().selectAllChildren(element);
		return "";
	}`, selector); err != nil {
		return err
	}
	if _, err := cdp.Call(ctx, t.target, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		return err
	}
	has, err := t.evaluate(ctx, `(selector) => { const element = document.querySelector(selector); return element.value ?? element.textContent; }`, selector)
	if err == nil && has != text {
		err = fmt.Errorf("the element %q does not take the text as it is: it has %s", selector, words.Quoted(has))
	}
	return err
}

// press presses and releases one of keys.
func (t *tab) press(ctx context.Context, key string) error {
	for _, stroke := range kb.Encode(keys[key]) {
		if _, err := cdp.Call(ctx, t.target, input.DispatchKeyEvent, *stroke); err != nil {
			return err
		}
	}
	return nil
}

func (t *tab) click(ctx context.Context, selector string) error {
	_, err := t.evaluate(ctx, `(selector) => { document.querySelector(selector).click(); return ""; }`, selector)
	return err
}

// flush returns when the reports of the page so far have been recorded.
func (t *tab) flush() {
	ctx, cancel := t.bounded(time.Second)
	defer cancel()
	_, _ = t.evaluate(ctx, `() => ""`)
}

// Offline switches the tab offline or online: the browser fires the event and, while offline,
// refuses requests. Open connections may stay open.
func (c *Client) Offline(offline bool) error {
	t := c.tabNow()
	if t == nil {
		return client.ErrNotOpen
	}
	ctx, cancel := t.bounded(actBound)
	defer cancel()
	_, err := cdp.Call(ctx, t.target, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}},
	})
	if err == nil {
		_, err = cdp.Call(ctx, t.target, network.OverrideNetworkState, network.OverrideNetworkStateParams{
			Offline: offline, DownloadThroughput: -1, UploadThroughput: -1,
		})
	}
	return err
}
