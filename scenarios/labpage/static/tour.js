// The guided tour. For each break it asks a question, shows the run, has the reader reach a
// goal by hand, and plays the same plan on the next step. Its texts and plans are in tour.json.
import { el, fill } from "./dom.js";
import { t, language } from "./words.js";
import { translated } from "./first.js";

/** Reports whether a run has the outcome and the counts that the tour states. */
export function meets(run, want) {
  if (want.outcome && run.outcome !== want.outcome) return false;
  if (want.rule && !run.findings.some((f) => f.rule === want.rule)) return false;
  const beyond = run.beyond ?? {};
  return ["lost", "duplicated", "reordered"].every((k) => want[k] === undefined || (want[k] === "some" ? beyond[k] > 0 : beyond[k] === want[k]));
}

const say = (texts) => texts[language] ?? texts.en;

export async function startTour(place, { load, setCursor, lab }) {
  const { breaks } = await (await fetch("tour.json")).json();
  let at = -1;
  let stage = "ask"; // ask, shown, puzzle, next
  let chosen;
  let solved = false;

  const asks = (on) => {
    document.body.classList.toggle("asking", on);
    for (const e of document.querySelectorAll("#story, .right, #detail, #plan, .scrub")) e.inert = on;
  };

  async function begin(n) {
    at = n;
    stage = "ask";
    chosen = undefined;
    solved = false;
    const b = breaks[at];
    asks(true);
    await load(translated(b));
    draw();
  }

  async function move(to, doc) {
    stage = to;
    solved = false;
    asks(false);
    await load(translated(doc), { first: to === "puzzle" });
    draw();
  }

  function choose(index) {
    chosen = index;
    stage = "shown";
    asks(false);
    draw();
    const found = lab.run.findings[0];
    setCursor(found?.at >= 0 ? found.at : lab.run.length);
  }

  function leave() {
    at = -1;
    asks(false);
    draw();
  }

  const button = (key, label, onclick, primary = false) => el("button", { type: "button", class: primary ? "primary" : "", data: { key, tour: key }, onclick }, label);

  function draw() {
    place.setAttribute("aria-label", t("tour"));
    if (at < 0) {
      return fill(place, el("div", { class: "bar" }, el("strong", {}, t("tour")), el("span", {}, t("tour intro")), button("start", t("tour start"), () => begin(0), true)));
    }
    const b = breaks[at];
    const parts = [el("div", { class: "bar" },
      el("h2", {}, t("tour progress", { n: at + 1, all: breaks.length, name: say(b.name) })),
      button("previous", t("tour previous"), () => begin(Math.max(0, at - 1))),
      at + 1 < breaks.length ? button("skip", t("tour next"), () => begin(at + 1)) : null,
      button("stop", t("tour stop"), leave))];
    if (stage === "ask" || stage === "shown") {
      parts.push(el("p", {}, say(b.question)), el("div", { class: "options", role: "group", "aria-label": t("tour ask") }, b.options.map((option, i) => {
        const marked = chosen === undefined ? "" : i === b.answer ? "right-answer" : i === chosen ? "wrong-answer" : "";
        return el("button", { type: "button", class: marked, disabled: chosen !== undefined, data: { option: i, key: `option:${i}` }, onclick: () => choose(i) }, say(option));
      })));
    }
    if (stage === "shown") {
      parts.push(el("p", { class: "explanation", role: "status" }, el("strong", {}, t(chosen === b.answer ? "tour right" : "tour wrong")), " ", say(b.explanation)),
        el("div", { class: "bar" }, button("puzzle", t("tour puzzle"), () => move("puzzle", b.puzzle), true), same(b)));
    }
    if (stage === "puzzle") {
      parts.push(el("p", { class: `goal ${solved ? "reached" : ""}`, role: "status", data: { reached: String(solved) } }, t(solved ? "tour reached" : "tour goal"), say(b.puzzle.goal)),
        el("details", { data: { key: "hint" } }, el("summary", {}, t("tour hint")), el("p", {}, say(b.puzzle.hint))),
        el("div", { class: "bar" }, button("solution", t("tour solution"), () => load(translated(b.puzzle.solution))), same(b, solved), button("again", t("tour again"), () => begin(at))));
    }
    if (stage === "next") {
      parts.push(el("p", { class: "explanation" }, say(b.next.text)),
        el("div", { class: "bar" }, at + 1 < breaks.length ? button("next", t("tour next"), () => begin(at + 1), true) : el("strong", {}, t("tour done")), button("again", t("tour again"), () => begin(at))));
    }
    fill(place, parts);
  }

  const same = (b, primary = false) => button("same", t("tour same", { step: t(`step name ${b.next.step}`) }), () => move("next", { step: b.next.step, plan: b.plan }), primary);

  /** Checks after each run whether it solves the puzzle. */
  function played(run) {
    if (stage !== "puzzle" || at < 0) return;
    const { step, want } = breaks[at].puzzle;
    const now = run.step === step && meets(run, want);
    if (now !== solved) {
      solved = now;
      draw();
    }
  }

  draw();
  return { draw, played };
}
