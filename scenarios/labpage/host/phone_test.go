package host

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// On a phone the pages are below the story, so that a break is made where the verdict would
// have been scrolled away.
func TestVerdictStaysInSightOnAPhone(t *testing.T) {
	p := openLab(t)
	p.Do(chromedp.EmulateViewport(390, 844))
	p.open("?lang=ko")
	p.cursor(at)
	get[bool](p, `(document.querySelector(".page[data-client=bob]").scrollIntoView({ block: "center" }), true)`)
	p.press(`[data-key="bob:offline"]`)
	for name, selector := range map[string]string{"the verdict": "#verdict .outcome", "the page": `.page[data-client="bob"] h3`} {
		if !get[bool](p, `(() => {
			const box = document.querySelector(`+"`"+selector+"`"+`).getBoundingClientRect();
			return box.top >= 0 && box.bottom <= innerHeight;
		})()`) {
			t.Errorf("%s is out of sight after a break", name)
		}
	}
	if beyond := get[int](p, `document.documentElement.scrollWidth - innerWidth`); beyond > 0 {
		t.Errorf("the page is %d px wider than the screen", beyond)
	}
}
