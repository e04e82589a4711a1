// Explains what is selected in the drawing, and offers the edits that it allows.
import { el, fill } from "./dom.js";
import { t, clock, has } from "./words.js";
import { explain, payload } from "./packet.js";
import { stepOf } from "./edit.js";
import { drawn } from "./pages.js";
import { findingWords } from "./verdict.js";

export const frameFaults = ["cut", "half-open", "switch", "outage", "refresh", "crash", "restart"];

export function showDetail(place, run, selected, change) {
  place.dataset.kind = selected?.kind ?? "";
  if (!selected) return fill(place, el("p", { class: "none" }, t("nothing selected")), atCursor(run, change));
  if (selected.kind === "frame") return fill(place, frameDetail(run, selected.index, change));
  if (selected.kind === "finding") return fill(place, findingDetail(run, selected.index, change));
  return fill(place, eventDetail(run, selected.index, change));
}

/** Selects the next frame that arrives, for a reader without a pointer. From there buttons lead on. */
function atCursor(run, change) {
  const pick = () => {
    const index = run.frames.findIndex((f) => f.at >= drawn.cursor);
    if (index >= 0) change.pick({ at: run.frames[index].at, selected: { kind: "frame", index } });
  };
  return el("button", { type: "button", data: { key: "next" }, onclick: pick }, t("frame at cursor"));
}

function frameDetail(run, index, change) {
  const frame = run.frames[index];
  if (!frame) return [el("p", { class: "none" }, t("nothing selected"))];
  const to = (step) => {
    const next = index + step;
    if (run.frames[next]) change.pick({ at: run.frames[next].at, selected: { kind: "frame", index: next } });
  };
  const kind = el("select", { id: "frame-fault", data: { key: "frame-fault" } }, frameFaults.map((k) => el("option", { value: k }, t(`do ${k}`))));
  const breakIt = (after) => change.breakAt(frame, kind.value, after);
  return [
    el("h3", {}, t("frame title", { packet: t(`packet ${frame.packet}`), number: frame.number, direction: t(frame.direction), connection: frame.connection, client: frame.client })),
    el("p", { class: "when" }, t("frame times", { left: clock(frame.left), at: clock(frame.at), size: frame.size })),
    el("ul", { class: "why" }, explain(frame, run.frames).map((line) => el("li", {}, line))),
    payload(frame) ? el("pre", { tabindex: "0", "aria-label": t("payload") }, payload(frame)) : null,
    el("div", { class: "buttons" },
      el("label", {}, t("here"), kind),
      el("button", { type: "button", data: { action: "before", key: "before" }, onclick: () => breakIt(false), title: t("why before") }, t("do before")),
      el("button", { type: "button", data: { action: "after", key: "after" }, onclick: () => breakIt(true), title: t("why after") }, t("do after")),
      el("button", { type: "button", data: { key: "previous" }, disabled: index === 0, onclick: () => to(-1) }, t("previous frame")),
      el("button", { type: "button", data: { key: "next" }, disabled: index + 1 >= run.frames.length, onclick: () => to(1) }, t("next frame"))),
  ];
}

function findingDetail(run, index, change) {
  const f = run.findings[index];
  if (!f) return [el("p", { class: "none" }, t("nothing selected"))];
  return [
    el("h3", {}, findingWords(f)),
    el("p", {}, f.sentence, " ", f.promised ? t("is promised", { level: t(`level ${run.level}`) }) : t("is not promised", { level: t(`level ${run.level}`) })),
    el("dl", {}, el("dt", {}, t("expected")), el("dd", {}, f.expected), el("dt", {}, t("observed")), el("dd", {}, f.observed)),
    el("div", { class: "buttons" }, (f.events ?? []).map((event) => el("button", { type: "button", onclick: () => change.pick({ at: run.times[event], selected: { kind: "event", index: event } }) }, t("event number", { n: event + 1 })))),
  ];
}

/** The lab's note on an event. It stays in English if the page has no words for it. */
function detailOf({ detail }) {
  if (!detail) return "";
  return has(`reason ${detail}`) ? t(`reason ${detail}`) : el("code", { lang: "en" }, detail);
}

function eventDetail(run, index, change) {
  const e = run.events[index];
  if (!e) return [el("p", { class: "none" }, t("nothing selected"))];
  const step = stepOf(run, index);
  const armed = e.fault && (run.plan.faults ?? []).some((f) => f.id === e.fault);
  const parts = [e.message && `“${e.message}”`, e.offset && `#${e.offset}`, e.faultKind && t(has(`do ${e.faultKind}`) ? `do ${e.faultKind}` : "fault"), e.recovered && t("state recovered"), detailOf(e)].filter(Boolean);
  return [
    el("h3", {}, t("event title", { client: e.client ?? t("server"), kind: t(has(`event ${e.kind}`) ? `event ${e.kind}` : "event other", { kind: e.kind }) })),
    el("p", { class: "when" }, clock(run.times[index])),
    parts.length ? el("p", {}, parts.flatMap((part, i) => (i ? [" · ", part] : [part]))) : null,
    has(`why event ${e.kind}`) ? el("p", {}, t(`why event ${e.kind}`)) : null,
    el("div", { class: "buttons" },
      step >= 0 ? el("button", { type: "button", data: { action: "remove", key: "remove" }, onclick: () => change.remove(step) }, t("take away")) : null,
      armed ? el("button", { type: "button", data: { action: "remove", key: "remove" }, onclick: () => change.removeFault(e.fault) }, t("take away")) : null),
    step >= 0 ? el("p", { class: "none" }, t("can be dragged")) : null,
  ];
}
