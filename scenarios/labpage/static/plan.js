// The plan in words: a line for each step and fault, with its time and the controls that change it.
import { el } from "./dom.js";
import { t, has } from "./words.js";
import { ms, duration } from "./edit.js";

export function faultWords(fault) {
  const key = `fault ${fault.kind}`;
  return t(has(key) ? key : "fault other", {
    kind: fault.kind, client: fault.client ?? "", length: fault.for ? `${ms(fault.for) / 1000}` : "",
  });
}

export function stepWords(step) {
  if (step.fault) return step.do === "arm" ? t("step arm", { what: faultWords(step.fault) }) : faultWords(step.fault);
  const key = `step ${step.do}`;
  const count = step.count > 1 ? ` ×${step.count}` : "";
  return t(has(key) ? key : "step other", {
    do: step.do, client: step.client ?? t("everyone"), text: (step.text ?? "") + count,
  });
}

/** The frame at which a fault strikes, in words. */
function placeWords({ at = {}, client }) {
  return t("at frame", {
    side: t(at.after ? "after" : "before"), number: at.number || 1, direction: t(at.direction === "up" ? "up" : "down"),
    client: at.client ?? client ?? "", connection: at.connection ? t("of connection", { n: at.connection }) : "",
  }) + (at.match ? ` (${at.match}…)` : "");
}

const number = (key, label, value, change) => el("label", {}, el("span", { class: "unseen" }, label),
  el("input", { type: "number", min: "0", step: "any", value: String(Math.round(value * 1000) / 1000), data: { key }, onchange: (event) => change(Math.max(0, Number(event.target.value) || 0)) }), t("seconds short"));

/** The lines of the plan. `change` has move, remove, removeFault, length and pick. */
export function planLines(run, change) {
  const lines = (run.plan.faults ?? []).map((fault) => {
    const fired = run.events.find((e) => e.kind === "fault-fired" && e.fault === fault.id);
    return el("li", { class: fired ? "" : "unfired", data: { fault: fault.id } },
      el("span", { class: "when" }, fired ? `${(run.times[fired.index] / 1000).toFixed(3)} ${t("seconds short")}` : t("never fired")),
      el("span", { class: "what" }, `${faultWords(fault)} ${placeWords(fault)}`),
      remove(() => change.removeFault(fault.id), faultWords(fault), `fault:${fault.id}`));
  });
  run.plan.script.forEach((step, index) => {
    if (step.do === "wait") return;
    const began = run.began?.[index];
    const words = stepWords(step);
    const awaits = step.do.startsWith("await-") || step.do === "barrier";
    lines.push(el("li", { data: { step: index }, class: awaits ? "awaits" : "" },
      el("span", { class: "when" }, began === undefined ? "–" : awaits ? `${(began / 1000).toFixed(2)} ${t("seconds short")}` : number(`when:${index}`, t("when", { what: words }), began / 1000, (s) => change.move(index, s * 1000))),
      el("span", { class: "what" }, words,
        step.fault?.for ? number(`for:${index}`, t("for how long", { what: words }), ms(step.fault.for) / 1000, (s) => change.length(index, duration(Math.max(1, s * 1000)))) : null),
      remove(() => change.remove(index), words, `step:${index}`)));
  });
  return lines;
}

const remove = (onclick, what, key) => el("button", { type: "button", class: "remove", "aria-label": t("remove", { what }), title: t("remove", { what }), data: { key }, onclick }, "✕");
