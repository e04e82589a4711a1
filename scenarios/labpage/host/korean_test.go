package host

import (
	"fmt"
	"strings"
	"testing"
)

// englishOnPage finds English sentences in what a reader of the page sees or hears: texts,
// labels and tips. In English in every language are code, the content of a frame, what stands
// in double quotes, the name of the event, and the lab's own messages.
const englishOnPage = `(() => {
	const sentence = /[A-Za-z][A-Za-z'’]+(?: [A-Za-z][A-Za-z'’]+)+/g;
	const found = new Set();
	const written = lab.run.plan.script.map((s) => s.text);
	const labs = lab.run.events.map((e) => e.message).filter((m) => m && !written.some((text) => text && m.startsWith(text)));
	const names = ["redial replay", "chat message", "by hand", ...labs];
	const look = (text) => {
		if (!text) return;
		const rest = names.reduce((rest, name) => rest.replaceAll(name, ""), text.replace(/"[^"]*("|$)/g, ""));
		for (const [blank] of text.matchAll(/\{\w+\}/g)) found.add("a blank that is not filled in: " + text);
		for (const [phrase] of rest.matchAll(sentence)) found.add(phrase + " ← " + text.trim().slice(0, 100));
	};
	look(document.title);
	for (const e of document.querySelectorAll("body, body *")) {
		if (e.closest("code, pre, script, style, #to-en, #command, #link")) continue;
		const frame = e.matches("[data-frame] > title"); // ends with the number of bytes, and then the content
		for (const child of e.childNodes) if (child.nodeType === Node.TEXT_NODE) look(frame ? child.textContent.split("바이트")[0] : child.textContent);
		for (const name of ["title", "aria-label", "aria-valuetext", "placeholder", "alt"]) look(e.getAttribute(name));
	}
	for (const e of document.querySelectorAll("code")) {
		if (!/[가-힣]/.test(e.parentElement.textContent.replace(e.textContent, ""))) found.add("no Korean beside " + e.textContent);
	}
	return [...found];
})()`

// korean has every state of the page that is reached from now on looked at.
func (p *tab) korean(t *testing.T) {
	seen := map[string]bool{}
	p.after = func(state string) {
		for _, found := range get[[]string](p, englishOnPage) {
			if !seen[found] {
				seen[found] = true
				t.Errorf("%s: the Korean page says %s", state, found)
			}
		}
	}
}

func openKorean(t *testing.T) *tab {
	p := serving(t, handler)
	p.open("?lang=ko")
	p.korean(t)
	return p
}

func TestKoreanPageHasNoEnglish(t *testing.T) {
	p := openKorean(t)
	p.after("at first")
	for _, step := range []string{"10", "9", "8", "7", "6", "published-7", "published-6", "5"} {
		p.set("#step", step)
	}
	for _, e := range edits {
		p.cursor(at)
		e.make(p)
		for i := range get[int](p, `lab.run.findings.length`) {
			p.click(fmt.Sprintf(`[data-finding="%d"]`, i))
		}
		p.press("#undo")
	}
	p.set("#step", "10")
	p.cursor(at)
	p.press(`[data-key="bob:offline"]`)
	p.press("#whole")
	for i := range get[int](p, `lab.run.events.length`) {
		p.click(fmt.Sprintf(`[data-event="%d"]`, i))
	}
	p.press("#new")
	p.set("#step", "8")
	p.cursor(1)
	p.press(`[data-key="next"]`)
	for get[bool](p, `!document.querySelector('[data-key="next"]').disabled`) {
		p.press(`[data-key="next"]`)
	}
	for _, dialog := range []string{"#share", "#make-test", "#legend summary"} {
		p.press(dialog)
		get[bool](p, `document.querySelector("dialog[open]")?.close() ?? true`)
	}
}

func TestKoreanPageExplainsProblems(t *testing.T) {
	p := openKorean(t)
	for _, c := range []struct{ plan, said string }{
		{`{"seed":1,"clients":[{"name":"a"}],"script":[{"do":"open","client":"a"}],"faults":[{"kind":"cut","client":"a","at":{"number":99}}]}`, "실행 중에 일어나지 않았습니다"},
		{`{"seed":1,"clients":[{"name":"a"}],"script":[{"do":"send","client":"a","text":"x"}]}`, "판정할 수 없습니다"},
		{`{"seed":1,"clients":[{"name":"a"}],"script":[{"do":"wait","for":"11m"}]}`, "실행할 수 없습니다"},
		{`{"seed":1,"clients":[{"name":"a"}],"script":[{"do":"open","client":"a"},{"do":"send","client":"a","text":"x"},{"do":"break","fault":{"kind":"limit","client":"a","bytesPerSecond":16}},{"do":"break","fault":{"kind":"cut","client":"a"}}]}`, "끝까지 연결되지 않음"},
	} {
		get[bool](p, fmt.Sprintf(`(() => {
			const files = new DataTransfer();
			files.items.add(new File([%q], "plan.json", { type: "application/json" }));
			const input = document.getElementById("open-file");
			input.files = files.files;
			document.getElementById("said").textContent = document.getElementById("verdict").textContent = "";
			input.dispatchEvent(new Event("change"));
			return true;
		})()`, c.plan))
		p.Until("a sentence", `document.getElementById("said").textContent + document.getElementById("verdict").textContent`)
		p.rest()
		p.after(c.said)
		if told := get[string](p, `document.getElementById("said").textContent + document.getElementById("verdict").textContent`); !strings.Contains(told, c.said) {
			t.Errorf("the page says %q, without %q", told, c.said)
		}
	}
	p.open("?lang=ko#plan=nothing")
	p.after("a broken link")
}

func TestKoreanRealRunHasNoEnglish(t *testing.T) {
	p := openKorean(t)
	p.forReal("refresh")
	p.after("for real")
	if lost := get[int](p, `document.querySelectorAll("#real-verdict li").length`); lost == 0 {
		t.Error("no message is lost for real, so the panel has no finding to look at")
	}
}
