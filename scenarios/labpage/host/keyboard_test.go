package host

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"redial/harness/plan"
)

// key sends keystrokes, and waits for the result.
func (p *tab) key(keys string) {
	p.T.Helper()
	p.Do(chromedp.KeyEvent(keys))
	p.rest()
}

const tabKey, enter, right = "\t", "\r", "\u0303"

// reach presses the Tab key until the control with the key has the focus.
func (p *tab) reach(key string) {
	p.T.Helper()
	const most = 120 // controls
	for range most {
		if get[string](p, `document.activeElement.dataset.key ?? document.activeElement.id`) == key {
			if !get[bool](p, `document.activeElement.matches(":focus-visible")`) {
				p.T.Errorf("nothing shows that %s has the focus", key)
			}
			return
		}
		p.key(tabKey)
	}
	p.T.Fatalf("the Tab key does not come to %s", key)
}

func TestTheKeyboardAloneLosesAMessage(t *testing.T) {
	p := openLab(t)
	p.reach("start")
	p.key(enter)
	p.reach("option:1")
	p.key(enter)
	p.reach("stop")
	p.key(enter)
	p.reach("new")
	p.key(enter)
	// This selects the frame at the cursor, and then the next one.
	p.reach("next")
	p.key(enter)
	first := get[string](p, `document.querySelector("#detail h3").textContent`)
	p.reach("next")
	p.key(enter)
	if second := get[string](p, `document.querySelector("#detail h3").textContent`); second == first {
		t.Errorf("the next frame is the same: %s", first)
	}
	// The arrow keys move the cursor; the connection of bob breaks there.
	before := get[float64](p, `lab.cursor`)
	p.reach("scrubber")
	p.key(right)
	if after := get[float64](p, `lab.cursor`); after <= before {
		t.Errorf("an arrow moves the cursor from %.0f to %.0f", before, after)
	}
	get[bool](p, `!!document.querySelector('[data-client="bob"] summary').focus({ focusVisible: true }) || true`)
	p.key(enter)
	p.reach("bob:offline")
	p.key(enter)
	script := p.document().Plan.Script
	if s := fmt.Sprint(acts(script)); get[int](p, `lab.run.beyond.lost`) != 1 || !p.breaks(plan.Outage) {
		t.Errorf("nothing is lost: %s", s)
	}
	p.reach("undo")
	p.key(enter)
	if p.breaks(plan.Outage) {
		t.Error("undo leaves the break")
	}
}

func (p *tab) breaks(kind plan.FaultKind) bool {
	for _, f := range p.document().Plan.AllFaults() {
		if f.Kind == kind {
			return true
		}
	}
	return false
}
