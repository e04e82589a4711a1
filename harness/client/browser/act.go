package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp/kb"

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

// An element is the first of those that the selector selects and whose text contains a text.
type element struct{ selector, text string }

func (e element) String() string {
	if e.text == "" {
		return strconv.Quote(e.selector)
	}
	return fmt.Sprintf("%q with the text %q", e.selector, e.text)
}

// on calls a JavaScript function with the element, or with undefined if there is none.
func (t *tab) on(ctx context.Context, e element, function string) (string, error) {
	return t.evaluate(ctx, `(selector, text) => (`+function+`)([...document.querySelectorAll(selector)].find((element) => element.textContent.includes(text)))`, e.selector, e.text)
}

// look returns why the element cannot be used, and the page's path. The text is empty if it is
// visible and not disabled.
func (t *tab) look(ctx context.Context, e element) (why, where string, err error) {
	found, err := t.on(ctx, e, `(element) => {
		const why = !element ? "there is none"
			: element.getClientRects().length === 0 || getComputedStyle(element).visibility === "hidden" ? "it is not visible"
			: element.disabled ? "it is disabled" : "";
		return JSON.stringify([why, location.pathname]);
	}`)
	var answer [2]string
	if err == nil {
		err = json.Unmarshal([]byte(found), &answer)
	}
	return answer[0], answer[1], err
}

// selects returns an error if the text, unless it is empty, is no selector.
func (t *tab) selects(ctx context.Context, selector string) error {
	if selector == "" {
		return nil
	}
	_, err := t.evaluate(ctx, `(selector) => document.querySelector(selector) ? "some" : "none"`, selector)
	return noSelector(selector, err)
}

// noSelector explains the error of a text that is no selector, and is nil for any other.
func noSelector(selector string, err error) error {
	if err == nil || !strings.Contains(err.Error(), "not a valid selector") {
		return nil
	}
	return fmt.Errorf("%q is no CSS selector", selector)
}

// visible waits until the element exists, is visible and is not disabled. The document may
// change meanwhile, because a step of Enter may load another page.
func (t *tab) visible(ctx context.Context, e element, bound time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("within %s", bound))
	defer cancel()
	last, where := "the page does not answer", ""
	for {
		why, path, err := t.look(ctx, e)
		switch {
		case err == nil && why == "":
			return nil
		case err == nil:
			last, where = why, path
		}
		if err := noSelector(e.selector, err); err != nil {
			return err
		}
		if sleep(ctx, pollEvery) != nil {
			return fmt.Errorf("the element %s on the page %s: %s %w", e, where, last, context.Cause(ctx))
		}
	}
}

// fill replaces the content of an element with the text.
func (t *tab) fill(ctx context.Context, e element, text string) error {
	if _, err := t.on(ctx, e, `(element) => {
		element.focus();
		if (element.select) element.select();
		else getSelection().selectAllChildren(element);
		return "";
	}`); err != nil {
		return err
	}
	if _, err := cdp.Call(ctx, t.target, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		return err
	}
	has, err := t.content(ctx, e)
	if err == nil && has != text {
		err = fmt.Errorf("the element %s does not take the text as it is: it has %s", e, words.Quoted(has))
	}
	return err
}

// content is what an element contains that text is typed into.
func (t *tab) content(ctx context.Context, e element) (string, error) {
	return t.on(ctx, e, `(element) => element.value ?? element.textContent`)
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

func (t *tab) click(ctx context.Context, e element) error {
	_, err := t.on(ctx, e, `(element) => { element.click(); return ""; }`)
	return err
}

// flush returns when the reports of the page so far have been recorded.
func (t *tab) flush() {
	ctx, cancel := t.bounded(time.Second)
	defer cancel()
	_, _ = t.evaluate(ctx, `() => ""`)
}
