package host

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/plan"
)

// at is an instant of the page's first story, after the second message and before the third.
const at = 3000.0

// An edit is made at [at] with the page's own controls.
type edit struct {
	name   string
	make   func(p *tab)
	script []plan.Step // the added steps in order; faults without their IDs
}

func button(key string) func(p *tab) {
	return func(p *tab) { p.press(fmt.Sprintf(`[data-key=%q]`, key)) }
}

func seconds(n float64) plan.Duration { return plan.Duration(n * 1e9) }

func breaking(f plan.Fault) []plan.Step { return []plan.Step{{Do: plan.Break, Fault: &f}} }

var edits = []edit{
	{"send", func(p *tab) {
		p.set(`[data-key="bob:text"]`, "by hand")
		p.press(`[data-key="bob:send"]`)
	}, []plan.Step{{Do: plan.Send, Client: "bob", Text: "by hand"}}},
	{"cut", button("bob:cut"), breaking(plan.Fault{Kind: plan.Cut, Client: "bob"})},
	{"half-open", button("bob:half-open"), breaking(plan.Fault{Kind: plan.HalfOpen, Client: "bob"})},
	{"switch", button("bob:switch"), breaking(plan.Fault{Kind: plan.Switch, Client: "bob"})},
	{"offline", func(p *tab) {
		p.set(`[data-key="bob:offline:for"]`, "3")
		p.press(`[data-key="bob:offline"]`)
	}, breaking(plan.Fault{Kind: plan.Outage, Client: "bob", For: seconds(3)})},
	{"slow", button("bob:slow"), breaking(plan.Fault{Kind: plan.Delay, Client: "bob", Delay: seconds(0.4), For: seconds(10)})},
	{"refresh", button("bob:refresh"), []plan.Step{{Do: plan.Refresh, Client: "bob"}}},
	{"close", button("bob:close"), []plan.Step{{Do: plan.Close, Client: "bob"}}},
	{"suspend", button("bob:suspend"), []plan.Step{{Do: plan.Suspend, Client: "bob"}, {Do: plan.Resume, Client: "bob"}}},
	{"second tab", button("bob:second tab"), []plan.Step{{Do: plan.Open, Client: "bob-2"}}},
	{"one more page", button("page"), []plan.Step{{Do: plan.Open, Client: "carol"}}},
	{"restart", button("server:restart"), breaking(plan.Fault{Kind: plan.Restart})},
	{"kill", button("server:kill"), []plan.Step{{Do: plan.KillServer}, {Do: plan.StartServer}}},
}

var ofTheLog = []edit{
	{"lock", button("server:lock"), []plan.Step{{Do: plan.LockDatabase}, {Do: plan.UnlockDatabase}}},
	{"empty", button("server:empty"), []plan.Step{{Do: plan.KillServer}, {Do: plan.ReplaceData}, {Do: plan.StartServer}}},
}

// acts returns the steps of a script without waits, which only set the time, and without the
// IDs of faults.
func acts(script []plan.Step) (list []string) {
	for _, s := range script {
		if s.Do == plan.Wait {
			continue
		}
		fault := plan.Fault{}
		if s.Fault != nil {
			fault = *s.Fault
			fault.ID, s.Fault = "", nil
		}
		list = append(list, fmt.Sprintf("%+v %+v", s, fault))
	}
	return list
}

// agrees compares the page with a run of its document without the page.
func agrees(t *testing.T, p *tab, name string) {
	t.Helper()
	run := p.play()
	if run.Error != "" || run.Outcome == check.Inconclusive || run.Outcome == check.Unsupported {
		t.Errorf("%s: %s%s %s", name, run.Error, run.Outcome, run.Reason+run.Problem)
		return
	}
	if shown := get[string](p, `document.getElementById("verdict").dataset.outcome`); shown != string(run.Outcome) {
		t.Errorf("%s: the page says %s, and the run comes to %s", name, shown, run.Outcome)
	}
	p.press("#whole")
	var want []string
	drawn := get[[]string](p, `Array.from(document.querySelectorAll("#story [data-kind=finding]"), (e) => [e.dataset.rule, e.dataset.client, e.dataset.message].join(" "))`)
	for _, f := range run.Findings {
		want = append(want, fmt.Sprintf("%s %s %s", f.Rule, f.Client, f.Message))
	}
	slices.Sort(drawn)
	slices.Sort(want)
	if !slices.Equal(drawn, want) {
		t.Errorf("%s: drawn as wrong is %q, and it is %q", name, drawn, want)
	}
	// At the end each page's card must show the messages that the run's page shows.
	p.set("#scrubber", "1e9")
	for _, page := range run.Pages {
		var texts []string
		for _, m := range page.Moments {
			switch {
			case m.Kind == "opened" || m.Kind == "shown" && m.Offset == 1 && run.Level == "durable-delivery":
				texts = nil
			}
			switch m.Kind {
			case "shown":
				texts = append(texts, m.Text)
			case "removed":
				texts = slices.DeleteFunc(texts, func(text string) bool { return text == m.Text })
			}
		}
		got := get[[]string](p, fmt.Sprintf(`Array.from(document.querySelectorAll("[data-client='%s'] .messages li:not(.missing, .pending) .text"), (e) => e.textContent)`, page.Client))
		if !slices.Equal(got, texts) {
			t.Errorf("%s: %s's card shows %q, and the page shows %q", name, page.Client, got, texts)
		}
	}
}

func (p *tab) tries(t *testing.T, step string, e edit) {
	t.Helper()
	name := fmt.Sprintf("step %s, %s", step, e.name)
	before := acts(p.document().Plan.Script)
	p.cursor(at)
	e.make(p)
	if said := get[string](p, `document.querySelector("#said.wrong")?.textContent ?? ""`); said != "" {
		t.Fatalf("%s: %s", name, said)
	}
	d := p.document()
	var index int
	for _, want := range acts(e.script) { // the added steps, in order
		found := slices.Index(acts(d.Plan.Script)[index:], want)
		if found < 0 {
			t.Fatalf("%s: the plan has no %s:\n%s", name, want, strings.Join(acts(d.Plan.Script), "\n"))
		}
		index += found + 1
	}
	rest := acts(d.Plan.Script)
	for _, one := range acts(e.script) {
		i := slices.Index(rest, one)
		rest = slices.Delete(rest, i, i+1)
	}
	if !slices.Equal(rest, before) {
		t.Errorf("%s: the rest of the plan is another one:\n%s", name, strings.Join(rest, "\n"))
	}
	run := p.play()
	first := slices.IndexFunc(d.Plan.Script, func(s plan.Step) bool { return slices.Equal(acts([]plan.Step{s}), acts(e.script[:1])) })
	if first >= len(run.Began) || math.Abs(run.Began[first]-at) > 25 {
		t.Errorf("%s: it was to be at %.0f ms, and the script began at %.0f", name, at, run.Began)
	}
	agrees(t, p, name)
	p.press("#undo")
	if again := acts(p.document().Plan.Script); !slices.Equal(again, before) {
		t.Errorf("%s: undo leaves\n%s", name, strings.Join(again, "\n"))
	}
}

func TestEachEditOfThePageGivesThePlanThatItSays(t *testing.T) {
	p := openLab(t)
	p.set("#step", "7")
	for _, e := range slices.Concat(edits, ofTheLog) {
		p.tries(t, "7", e)
	}
	// The other steps get the same edits, with different results.
	for _, step := range []string{"5", "6", "8", "9", "10"} {
		p.triesSome(t, step)
	}
}

// triesSome makes the edits whose results differ most.
func (p *tab) triesSome(t *testing.T, step string) {
	t.Helper()
	p.set("#step", step)
	if got := p.document().Step; got != step {
		t.Fatalf("the step is %s, not %s", got, step)
	}
	for _, e := range edits {
		if e.name == "cut" || e.name == "refresh" || e.name == "kill" {
			p.tries(t, step, e)
		}
	}
}

func TestAFrameIsBrokenBeforeAndAfterIt(t *testing.T) {
	p := openLab(t)
	p.set("#step", "6")
	for _, after := range []bool{false, true} {
		p.breaksFrame(t, "6", plan.Cut, after)
	}
}

// breaksFrame injects a fault at the frame that carries the third message to bob, and undoes
// the edit.
func (p *tab) breaksFrame(t *testing.T, step string, kind plan.FaultKind, after bool) {
	t.Helper()
	side := map[bool]string{false: "before", true: "after"}[after]
	name := fmt.Sprintf("step %s, %s %s the frame", step, kind, side)
	get[bool](p, `(() => {
		const frame = lab.run.frames.findIndex((f) => f.client === "bob" && f.direction === "down" && f.text.includes("how are you"));
		const e = document.querySelector('#story [data-frame="' + frame + '"]');
		document.getElementById("story").scrollIntoView({ block: "center" });
		const box = e.querySelector(".hit, .arrow").getBoundingClientRect();
		const point = { bubbles: true, button: 0, buttons: 1, pointerId: 1, clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
		e.dispatchEvent(new PointerEvent("pointerdown", point));
		e.dispatchEvent(new PointerEvent("pointerup", { ...point, buttons: 0 }));
		return true;
	})()`)
	p.rest()
	if text := get[string](p, `document.getElementById("detail").textContent`); !strings.Contains(text, "how are you?") || !strings.Contains(text, "bob") {
		t.Fatalf("%s: the frame is not explained: %q", name, text)
	}
	offered := get[[]plan.FaultKind](p, `Array.from(document.getElementById("frame-fault").options, (o) => o.value)`)
	if !slices.Equal(offered, atFrame) {
		t.Errorf("%s: the page offers %q at a frame, and the test tries %q", name, offered, atFrame)
	}
	get[bool](p, fmt.Sprintf(`!!(document.getElementById("frame-fault").value = %q)`, kind))
	p.press(`[data-action="` + side + `"]`)
	if said := get[string](p, `document.querySelector("#said.wrong")?.textContent ?? ""`); said != "" {
		t.Fatalf("%s: %s", name, said)
	}
	faults := p.document().Plan.Faults
	if len(faults) != 1 || faults[0].Kind != kind || cmp.Or(faults[0].Client, faults[0].At.Client) != "bob" || faults[0].At.After != after || faults[0].At.Direction != plan.Down {
		t.Fatalf("%s: the faults are %+v", name, faults)
	}
	if run := p.play(); run.Verdict.FaultsFired != 1 {
		t.Errorf("%s: the fault has not fired", name)
	}
	agrees(t, p, name)
	p.press("#undo")
}

func TestAToolIsDroppedOnAFrameAndBesideIt(t *testing.T) {
	p := openLab(t)
	p.set("#step", "6")
	drop := func(share string) plan.Plan {
		t.Helper()
		get[bool](p, fmt.Sprintf(`(() => {
			document.getElementById("story").scrollIntoView({ block: "center" });
			const index = lab.run.frames.findIndex((f) => f.client === "bob" && f.direction === "down" && f.text.includes("how are you"));
			const box = document.querySelector('#story [data-frame="' + index + '"] .hit').getBoundingClientRect();
			const data = new DataTransfer();
			data.setData("text/redial", JSON.stringify({ action: "half-open", client: "bob" }));
			document.getElementById("story").dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data, %s }));
			return true;
		})()`, share))
		p.rest()
		return p.document().Plan
	}
	for share, after := range map[string]bool{"0.25": false, "0.75": true} {
		faults := drop(`clientX: box.left + box.width * ` + share + `, clientY: box.top + box.height * ` + share).Faults
		if len(faults) != 1 || faults[0].Kind != plan.HalfOpen || faults[0].At.After != after {
			t.Errorf("at %s of the frame: %+v", share, faults)
		}
		agrees(t, p, "dropped on a frame")
		p.press("#undo")
	}
	p.press("#fit")
	got := drop(`clientX: box.left - 30, clientY: box.bottom + 30`)
	if len(got.Faults) > 0 || !slices.ContainsFunc(got.Script, func(s plan.Step) bool { return s.Do == plan.Break && s.Fault.Kind == plan.HalfOpen }) {
		t.Errorf("beside a frame: %+v", got)
	}
}

func TestMessagesAreTakenAwayMovedAndDragged(t *testing.T) {
	p := openLab(t)
	before := p.document().Plan
	p.press(`[data-key="step:6"]`) // bob's message
	if after := p.document().Plan; len(acts(after.Script)) != len(acts(before.Script))-1 || len(after.Script) != len(before.Script)-2 {
		t.Errorf("taken away: %+v", after.Script)
	}
	p.press("#undo")
	p.press("#redo")
	p.press("#undo")
	p.set(`[data-key="when:6"]`, "3.5")
	if run := p.play(); math.Abs(run.Began[slices.IndexFunc(run.Plan.Script, func(s plan.Step) bool { return s.Client == "bob" && s.Do == plan.Send })]-3500) > 2 {
		t.Errorf("moved: it began at %.0f", run.Began)
	}
	p.press("#undo")
	// Dragging the message past alice's next one swaps the two.
	p.press("#whole")
	get[bool](p, `(() => {
		const mark = (text) => document.querySelector('#story [data-kind="sent"][data-message="' + text + '"]');
		const middle = (e) => { const b = e.getBoundingClientRect(); return { clientX: b.left + b.width / 2, clientY: b.top + b.height / 2 }; };
		document.getElementById("story").scrollIntoView({ block: "center" });
		const from = middle(mark("hello yourself")), to = middle(mark("how are you?"));
		const send = (type, at, buttons) => document.elementFromPoint(from.clientX, from.clientY).dispatchEvent(new PointerEvent(type, { bubbles: true, button: 0, buttons, pointerId: 1, ...at }));
		const story = document.getElementById("story");
		story.setPointerCapture = () => {};
		send("pointerdown", from, 1);
		send("pointermove", { clientX: from.clientX + 30, clientY: from.clientY }, 1);
		send("pointermove", { clientX: to.clientX + 60, clientY: from.clientY }, 1);
		send("pointerup", { clientX: to.clientX + 60, clientY: from.clientY }, 0);
		return true;
	})()`)
	p.rest()
	var texts []string
	for _, s := range p.document().Plan.Script {
		if s.Do == plan.Send {
			texts = append(texts, s.Text)
		}
	}
	if !slices.Equal(texts, []string{"hello", "how are you?", "hello yourself"}) {
		t.Errorf("dragged: %q", texts)
	}
	agrees(t, p, "dragged")
	if past := get[int](p, `lab.past.length`); past != 1 {
		t.Errorf("a drag is %d edits to undo", past)
	}
}

func TestALinkOpensTheSameRun(t *testing.T) {
	p := openLab(t)
	p.cursor(at)
	p.press(`[data-key="bob:offline"]`)
	before, link := p.document(), get[string](p, `location.hash`)
	p.press("#share")
	if shared := get[string](p, `document.getElementById("link").value`); shared != p.url+"/?lang=en"+link {
		t.Errorf("the link is %q", shared)
	}
	p.open("?lang=ko" + link)
	after := p.document()
	if before.Step != after.Step || !slices.Equal(acts(before.Plan.Script), acts(after.Plan.Script)) {
		t.Errorf("the link opens %+v", after)
	}
	if language, title := get[string](p, `document.querySelector("#story svg").lang || document.querySelector("#story svg").getAttribute("lang")`), get[string](p, `document.title`); language != "ko" || title != "Redial 실험실" {
		t.Errorf("the page is in %s: %s", language, title)
	}
	agrees(t, p, "by a link")
	p.open("#plan=nothing")
	if said := get[string](p, `document.querySelector("#said.wrong")?.textContent ?? ""`); !strings.Contains(said, "not whole") {
		t.Errorf("a broken link says %q", said)
	}
}

func TestTheTourAsksShowsAndJudgesThePuzzle(t *testing.T) {
	p := openLab(t)
	p.press(`[data-tour="start"]`)
	if inert := get[bool](p, `document.getElementById("story").inert`); !inert {
		t.Error("the story can be seen before the answer")
	}
	p.press(`[data-option="1"]`)
	p.press(`[data-tour="puzzle"]`)
	last := get[float64](p, `lab.run.began[lab.run.plan.script.findLastIndex((s) => s.do === "send")]`)
	p.cursor(last - 150)
	p.press(`[data-key="bob:cut"]`)
	if !p.solved() {
		t.Error("a cut just before the last message does not solve the puzzle")
	}
}

// forReal breaks bob's page in step 6 and plays that for real, until it ends or cannot.
func (p *tab) forReal(broken string) {
	p.set("#step", "6")
	p.cursor(at)
	p.press(`[data-key="bob:` + broken + `"]`)
	p.press("#real")
	p.Until("the run for real", `!document.getElementById("real-run").hidden || document.querySelector("#said.wrong")`)
}

func TestTheSamePlanForRealIsBesideIt(t *testing.T) {
	p := openLab(t)
	p.forReal("cut")
	if outcome, svg := get[string](p, `document.getElementById("real-verdict").dataset.outcome`), get[int](p, `document.querySelectorAll("#real-story [data-kind=shown]").length`); outcome != "pass" || svg < 6 {
		t.Errorf("for real it comes to %q, with %d messages shown: %s", outcome, svg, get[string](p, `document.getElementById("said").textContent`))
	}
	p.press("#undo")
	if !get[bool](p, `document.getElementById("real-run").hidden`) {
		t.Error("what is beside it is of another plan")
	}
}

func TestASavedFailureOpens(t *testing.T) {
	p := openLab(t)
	open := func(text string) {
		t.Helper()
		get[bool](p, fmt.Sprintf(`(() => {
			const files = new DataTransfer();
			files.items.add(new File([%q], "failure.json", { type: "application/json" }));
			const input = document.getElementById("open-file");
			input.files = files.files;
			input.dispatchEvent(new Event("change"));
			document.documentElement.dataset.busy = "true"; // until the file is read
			return true;
		})()`, text))
		p.Until("the step or a sentence", `lab.doc.step === "6" || document.querySelector("#said.wrong")`)
		get[bool](p, `delete document.documentElement.dataset.busy`)
		p.rest()
	}
	open(`{"target": "--url http://x", "plan": {"seed": 1, "clients": [], "script": []}}`)
	if said := get[string](p, `document.getElementById("said").textContent`); !strings.Contains(said, "cannot start") {
		t.Errorf("a failure of somebody's server: %q", said)
	}
	get[bool](p, `(document.getElementById("said").className = "") || true`)
	open(`{"target": "step 6", "level": "recovery", "lab": "virtual", "name": "x", "verdict": {}, "history": [], "plan": {"seed": 3, "clients": [{"name": "zoe"}], "script": [{"do": "open", "client": "zoe"}]}}`)
	if d := p.document(); d.Step != "6" || d.Plan.Seed != 3 || d.Plan.Clients[0].Name != "zoe" {
		t.Errorf("it opens as %+v", d)
	}
}
