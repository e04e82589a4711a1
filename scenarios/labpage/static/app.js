// The lab page. Its document is {step, plan}. Every edit makes a new document, plays it and
// draws its run; undo returns to the document before.
import { $, el, fill } from "./dom.js";
import { t, loadWords, setLanguage, language, languages, clock } from "./words.js";
import { findBack, play } from "./back.js";
import * as edits from "./edit.js";
import { drawPages, drawn } from "./pages.js";
import { showStory, showCursor, listen, xOf, timeAt } from "./story.js";
import { planLines } from "./plan.js";
import { showDetail } from "./detail.js";
import { startTour } from "./tour.js";
import { firstDocument, translated, beforeLast, fitted, prepare } from "./first.js";
import { say, sayProblem } from "./said.js";
import { drawVerdict } from "./verdict.js";
import { sharing, realRuns, steps } from "./share.js";

const mostUndo = 200;

/** The state of the page. It is global for the console and for tests. */
const lab = {
  back: "worker", doc: undefined, run: undefined, real: undefined, cursor: 0, selected: undefined,
  view: { from: 0, to: 0, scale: "logarithmic", detail: true }, past: [], future: [], plays: 0, goal: undefined,
};
globalThis.lab = lab;

// ---- playing

let queue = Promise.resolve();
/** Performs tasks one after the other, because an edit needs the run of the document that it changes. */
function inTurn(task) {
  document.documentElement.dataset.busy = "true";
  const done = queue.then(task).catch((error) => sayProblem(String(error.message ?? error)));
  queue = done;
  done.finally(() => {
    if (queue === done) delete document.documentElement.dataset.busy;
  });
  return done;
}

const width = (id = "story") => Math.max(320, Math.floor($(id).clientWidth || 900));

function request(doc, more = {}) {
  return { step: doc.step, plan: doc.plan, view: { ...lab.view, width: width(), language, ...more } };
}

/** Plays the document and draws its run. A document that cannot be played is dropped, and the page says why. */
async function show(doc, how = {}) {
  const before = lab.run;
  const keep = how.keepView && before;
  const toEnd = keep && lab.view.to >= before.length - 1;
  const view = keep ? { ...lab.view, to: toEnd ? 0 : lab.view.to } : { ...lab.view, from: 0, to: 0 };
  let run = await play(lab.back, how.link ? { link: how.link, view: { ...view, width: width(), language } } : { ...request(doc), view: { ...view, width: width(), language }, shrink: how.shrink });
  if (run.error) {
    sayProblem(run.error);
    return false;
  }
  run = prepare(run);
  lab.view = toEnd ? { ...view, to: run.length } : view;
  if (!keep) {
    Object.assign(lab.view, fitted(run));
    const drawing = await play(lab.back, { ...request({ step: run.step, plan: run.plan }), view: { ...lab.view, width: width(), language, only: true } });
    if (!drawing.error) run.svg = drawing.svg;
  }
  lab.run = run;
  lab.doc = { step: run.step, plan: run.plan };
  lab.plays++;
  lab.real = undefined;
  stopReal();
  if (how.cursor !== undefined) lab.cursor = how.cursor;
  if (!how.keepSelected) lab.selected = undefined;
  lab.cursor = Math.min(Math.max(lab.cursor, 0), run.length);
  history.replaceState(null, "", `#${run.fragment}`);
  draw();
  tour?.played(run);
  return true;
}

/** Makes an edit: `change` maps {plan, began, run, step} to the next {plan} or {step, plan}. */
function edit(change, how = {}) {
  return inTurn(async () => {
    const { doc, run } = lab;
    if (!run) return;
    const next = change({ plan: structuredClone(run.plan), began: run.began ?? [], run, step: doc.step });
    const ok = await show({ step: next.step ?? doc.step, plan: next.plan }, { keepView: true, keepSelected: how.keepSelected, ...how });
    if (ok && !how.passing) remember(how.base ?? doc);
  });
}

function remember(doc) {
  lab.past.push(doc);
  if (lab.past.length > mostUndo) lab.past.shift();
  lab.future = [];
  drawTools();
}

/** Shows another document. The reader can undo that like an edit. */
export function load(doc, how = {}) {
  return inTurn(async () => {
    const before = lab.doc;
    if ((await show(doc, { cursor: how.cursor ?? 0, ...how })) && before) remember(before);
    if (lab.run && how.cursor === undefined) setCursor(how.first ? beforeLast(lab.run) : lab.run.length);
  });
}

function go(from, to) {
  return inTurn(async () => {
    const doc = from.pop();
    if (!doc) return;
    to.push(lab.doc);
    await show(doc, { keepView: true });
    drawTools();
  });
}

/** Edits the plan by what the reader does on a page or the server, at the cursor. */
function act(name, options) {
  const at = lab.cursor;
  const change = name === "page" ? (state) => edits.addPage(state, at, options.tabOf) : (state) => edits.act(state, at, name, options);
  // The cursor moves on by some milliseconds, so that it shows the effect: a message has arrived by then.
  return edit((state) => ({ plan: change(state) }), { cursor: at + (name === "page" ? 60 : 40) });
}

// ---- drawing

function draw() {
  say("");
  showStory($("story"), lab.run.svg);
  drawVerdict($("verdict"), lab.run, pick);
  drawTools();
  drawReal();
  fill($("plan"), planLines(lab.run, {
    move: (index, at) => edit(({ plan, began }) => ({ plan: edits.moveStep({ plan, began }, index, at) })),
    remove: (index) => edit(({ plan }) => ({ plan: edits.removeStep(plan, index) })),
    removeFault: (id) => edit(({ plan }) => ({ plan: edits.removeFault(plan, id) })),
    length: (index, text) => edit(({ plan }) => ({ plan: edits.changeStep(plan, index, (s) => ({ ...s, fault: { ...s.fault, for: text } })) })),
  }));
  drawCursor();
  drawDetail();
}

function drawCursor() {
  drawn.cursor = lab.cursor;
  showCursor(lab.cursor, lab.selected);
  drawPages(lab.run, lab.cursor, act);
  $("now").textContent = clock(lab.cursor);
  const scrubber = $("scrubber");
  const axis = JSON.parse($("story").querySelector("svg")?.dataset.axis ?? "{}");
  scrubber.min = axis.left ?? 0;
  scrubber.max = axis.right ?? 1;
  scrubber.value = xOf(lab.cursor);
  scrubber.setAttribute("aria-valuetext", clock(lab.cursor));
}

export function setCursor(at) {
  lab.cursor = Math.min(Math.max(at, 0), lab.run.length);
  drawCursor();
}

function drawTools() {
  $("step").value = lab.doc?.step ?? "5";
  $("seed").value = String(lab.doc?.plan.seed ?? 1);
  $("undo").disabled = !lab.past.length;
  $("redo").disabled = !lab.future.length;
  $("real").hidden = lab.back !== "native";
  $("shrink").disabled = !lab.run?.findings.length;
}

function drawReal() {
  $("real-run").hidden = !lab.real;
  if (!lab.real) return;
  drawVerdict($("real-verdict"), lab.real, () => {});
  showStory($("real-story"), lab.real.svg);
}

function pick({ at, selected }) {
  lab.selected = selected;
  lab.cursor = Math.min(Math.max(at, 0), lab.run.length);
  drawCursor();
  drawDetail();
  if (selected && (lab.cursor < lab.view.from || lab.cursor > lab.view.to)) return inTurn(() => zoomTo(Math.min(lab.view.from, lab.cursor), Math.max(lab.view.to, lab.cursor)));
}

function drawDetail() {
  showDetail($("detail"), lab.run, lab.selected, {
    pick,
    breakAt: (frame, kind, after) => edit(({ plan }) => ({ plan: edits.breakAtFrame(plan, frame, kind, after) }), { cursor: frame.at + 1 }),
    remove: (index) => edit(({ plan }) => ({ plan: edits.removeStep(plan, index) })),
    removeFault: (id) => edit(({ plan }) => ({ plan: edits.removeFault(plan, id) })),
    move: (index, at) => edit(({ plan, began }) => ({ plan: edits.moveStep({ plan, began }, index, at) })),
  });
}

async function drawLegend() {
  if (!$("legend").open) return;
  const { svg, error } = await play(lab.back, { view: { legend: true, width: width(), language } });
  if (!error) showStory($("legend-signs"), svg);
}

async function redraw() {
  if (!lab.run) return;
  const drawing = await play(lab.back, request(lab.doc, { only: true }));
  if (drawing.error) return sayProblem(drawing.error);
  lab.run.svg = drawing.svg;
  showStory($("story"), drawing.svg);
  drawCursor();
}

async function zoomTo(from, to) {
  const most = lab.run.length;
  const size = Math.min(Math.max(to - from, 0.5), Math.max(most, 1));
  lab.view.from = Math.min(Math.max(0, from), Math.max(0, most - size));
  lab.view.to = Math.min(most, lab.view.from + size);
  await redraw();
}

const zoom = (by, around = lab.cursor) => inTurn(() => {
  const { from, to } = lab.view;
  const middle = Math.min(Math.max(around, from), to);
  return zoomTo(middle - (middle - from) * by, middle + (to - middle) * by);
});

const pan = (by) => inTurn(() => {
  const { from, to } = lab.view;
  return zoomTo(from + (to - from) * by, to + (to - from) * by);
});

let playing;
/** Moves the cursor through the window at a constant speed on the screen. */
function run(button) {
  if (playing) {
    cancelAnimationFrame(playing);
    playing = undefined;
    button.setAttribute("aria-pressed", "false");
    return;
  }
  button.setAttribute("aria-pressed", "true");
  let x = xOf(lab.cursor);
  const end = xOf(lab.view.to);
  if (x >= end - 2) x = xOf(lab.view.from);
  let last = performance.now();
  const next = (now) => {
    x += ((now - last) / 1000) * 110;
    last = now;
    setCursor(timeAt(Math.min(x, end)));
    playing = x < end ? requestAnimationFrame(next) : run(button);
  };
  playing = requestAnimationFrame(next);
}

// ---- beginning

const { openFile, copy, share, makeTest } = sharing({ lab, load });
const { playForReal, stopReal } = realRuns({
  lab, request: () => request(lab.doc, { from: 0, to: 0 }),
  show: (run) => {
    lab.real = prepare(run);
    drawReal();
  },
});

let tour;

function translate() {
  document.documentElement.dataset.words = language;
  document.title = t("title");
  for (const e of document.querySelectorAll("[data-t]")) e.textContent = t(e.dataset.t);
  for (const e of document.querySelectorAll("[data-label]")) {
    e.setAttribute("aria-label", t(e.dataset.label));
    if (e.tagName === "BUTTON") e.title = t(e.dataset.label);
  }
  fill($("step"), steps.map((s) => el("option", { value: s }, t(`step name ${s}`))));
  if (lab.doc) $("step").value = lab.doc.step;
  for (const l of languages) $(`to-${l}`).setAttribute("aria-pressed", String(l === language));
}

function wire() {
  const on = (id, type, listener) => $(id).addEventListener(type, listener);
  on("undo", "click", () => go(lab.past, lab.future));
  on("redo", "click", () => go(lab.future, lab.past));
  // The listeners read the value at once: an edit waits for its turn, and a run that is drawn before it sets these fields.
  on("step", "change", ({ target: { value } }) => edit(({ plan }) => ({ step: value, plan }), { keepSelected: true }));
  on("seed", "change", ({ target: { value } }) => edit(({ plan }) => ({ plan: { ...plan, seed: Math.max(1, Math.floor(Number(value)) || 1) } })));
  on("in", "click", () => zoom(1 / 1.8));
  on("out", "click", () => zoom(1.8));
  on("fit", "click", () => inTurn(() => zoomTo(fitted(lab.run).from, lab.run.length)));
  on("whole", "click", () => inTurn(() => zoomTo(0, lab.run.length)));
  on("left", "click", () => pan(-0.4));
  on("right", "click", () => pan(0.4));
  on("run", "click", (event) => run(event.currentTarget));
  on("frames", "change", (event) => inTurn(() => ((lab.view.detail = event.target.checked), redraw())));
  on("linear", "change", (event) => inTurn(() => ((lab.view.scale = event.target.checked ? "linear" : "logarithmic"), redraw())));
  on("scrubber", "input", (event) => setCursor(timeAt(Number(event.target.value))));
  on("share", "click", share);
  on("make-test", "click", makeTest);
  on("copy-link", "click", () => copy("link"));
  on("copy-command", "click", () => copy("command"));
  on("copy-test", "click", () => copy("test"));
  on("new", "click", () => load(firstDocument(), { first: true }));
  on("legend", "toggle", drawLegend);
  on("shrink", "click", () => inTurn(async () => {
    say(t("shrinking"));
    const before = lab.doc;
    if (await show(lab.doc, { shrink: true })) remember(before);
  }));
  on("real", "click", playForReal);
  on("open-file", "change", (event) => openFile(event.target.files[0]));
  document.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    openFile(event.dataTransfer.files[0]);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=text], input[type=number], textarea, select") || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && key === "z") {
      event.preventDefault();
      if (event.shiftKey) go(lab.future, lab.past);
      else go(lab.past, lab.future);
    } else if ((event.ctrlKey || event.metaKey) && key === "y") {
      event.preventDefault();
      go(lab.future, lab.past);
    } else if (!event.ctrlKey && !event.metaKey && !event.altKey && (key === "+" || key === "=")) zoom(1 / 1.8);
    else if (!event.ctrlKey && !event.metaKey && !event.altKey && key === "-") zoom(1.8);
  });
  for (const l of languages) {
    on(`to-${l}`, "click", () => {
      setLanguage(l);
      translate();
      tour.draw();
      drawLegend();
      inTurn(() => show(translated(lab.doc), { keepView: true, keepSelected: true }));
    });
  }
  window.addEventListener("hashchange", () => location.hash.startsWith("#plan=") && inTurn(async () => {
    const before = lab.doc;
    if (lab.run && location.hash === `#${lab.run.fragment}`) return;
    if (await show(undefined, { link: location.hash })) remember(before);
  }));
  let asked;
  new ResizeObserver(() => {
    clearTimeout(asked);
    asked = setTimeout(() => lab.run && width() !== shownWidth() && inTurn(redraw), 120);
  }).observe($("story"));
  listen({
    pick,
    zoom: (by, at) => zoom(by, at),
    drop: ({ action, client }, { at, selected }) => {
      const frame = selected?.kind === "frame" ? lab.run.frames[selected.index] : undefined;
      if (!frame) return edit(({ plan, began }) => ({ plan: edits.act({ plan, began }, at, action, { client }) }), { cursor: at + 40 });
      // A drop nearer to the end of the frame's arrow lets the frame arrive.
      const after = Math.abs(at - frame.at) < Math.abs(at - frame.left);
      return edit(({ plan }) => ({ plan: edits.breakAtFrame(plan, frame, action, after) }), { cursor: frame.at + 1 });
    },
    drag: dragging,
  });
}

const shownWidth = () => Number($("story").querySelector("svg")?.getAttribute("width"));

let drag;
/** Plays the plan again while an event is dragged, always from the plan before the drag. */
function dragging(event, at, done) {
  drag ??= { doc: lab.doc, run: lab.run, index: edits.stepOf(lab.run, event), at, busy: false };
  if (drag.index < 0) {
    if (done) drag = undefined;
    else pick({ at });
    return;
  }
  drag.at = at;
  const playOne = (d, last) => edit(() => ({ plan: edits.moveStep(d.run, d.index, d.at) }), { passing: !last, base: d.doc, cursor: d.at });
  if (done) {
    playOne(drag, true);
    drag = undefined;
  } else if (!drag.busy) {
    const d = drag;
    d.busy = true;
    playOne(d, false).finally(() => (d.busy = false));
  }
}

await loadWords();
translate();
wire();
say(t("loading"));
lab.back = await findBack();
document.documentElement.dataset.back = lab.back;
tour = await startTour($("tour"), { load, setCursor, lab });
await inTurn(async () => {
  const link = location.hash.startsWith("#plan=");
  const shared = link && (await show(undefined, { link: location.hash }));
  const problem = link && !shared ? [...$("said").childNodes] : [];
  if (!shared) await show(firstDocument());
  if (problem.length) {
    fill($("said"), problem);
    $("said").className = "wrong";
  }
  if (lab.run) setCursor(shared ? lab.run.length : beforeLast(lab.run));
});
document.documentElement.dataset.ready = "true";
