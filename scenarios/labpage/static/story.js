// The drawing of a run. The back makes it as SVG; this module adds the cursor and the clicks.
import { $ } from "./dom.js";

let axis = { points: [[0, 0], [1, 1]], left: 0, right: 1, top: 0, bottom: 0, from: 0, to: 1 };
const svgNS = "http://www.w3.org/2000/svg";

function between(points, value, from, to) {
  let i = points.findIndex((p) => p[from] >= value);
  if (i < 0) return points.at(-1)[to];
  if (i === 0) return points[0][to];
  const [a, b] = [points[i - 1], points[i]];
  return a[to] + ((value - a[from]) / (b[from] - a[from] || 1)) * (b[to] - a[to]);
}

export const xOf = (milliseconds) => between(axis.points, milliseconds * 1e6, 0, 1);
export const timeAt = (x) => between(axis.points, Math.min(Math.max(x, axis.left), axis.right), 1, 0) / 1e6;

/** Shows the drawing. The back has escaped every text in it. */
export function showStory(place, svg) {
  place.innerHTML = svg;
  const drawing = place.firstElementChild;
  const text = drawing?.dataset.axis;
  if (!text) return;
  const axisOf = JSON.parse(text);
  if (place.id === "story") axis = axisOf;
  drawing.removeAttribute("role"); // Here it is a group of controls and not a picture.
  drawing.setAttribute("role", "group");
}

export function showCursor(milliseconds, selected) {
  const drawing = $("story").querySelector("svg");
  if (!drawing) return;
  drawing.querySelector(".cursor")?.remove();
  const line = document.createElementNS(svgNS, "line");
  const x = xOf(milliseconds);
  for (const [name, value] of Object.entries({ class: "cursor", x1: x, x2: x, y1: 0, y2: axis.bottom + 8 })) line.setAttribute(name, value);
  drawing.append(line);
  for (const e of drawing.querySelectorAll(".selected")) e.classList.remove("selected");
  if (selected) drawing.querySelector(`[data-${selected.kind}="${selected.index}"]${selected.kind === "event" ? '[data-kind]:not([data-kind="frame"])' : ""}`)?.classList.add("selected");
}

const pointAt = (event) => {
  const drawing = $("story").querySelector("svg");
  const box = drawing.getBoundingClientRect();
  const scale = drawing.viewBox.baseVal.width / box.width;
  return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
};

/** What the pointer hits: a part of the run, and the instant. */
function under(event) {
  const target = document.elementFromPoint(event.clientX, event.clientY)?.closest?.("[data-finding],[data-frame],[data-event]");
  const at = timeAt(pointAt(event).x);
  if (!target || !$("story").contains(target)) return { at };
  const { finding, frame, event: index } = target.dataset;
  if (finding !== undefined) return { at: Number(target.dataset.at) / 1e6, selected: { kind: "finding", index: Number(finding) } };
  if (frame !== undefined) return { at, selected: { kind: "frame", index: Number(frame) } };
  return { at: Number(target.dataset.at) / 1e6, selected: { kind: "event", index: Number(index) } };
}

/**
 * Listens to the drawing: `pick` for a click, `drag` while an event is dragged to another
 * instant (with done at the end), `drop` for a tool that is dropped, `zoom` for the wheel.
 */
export function listen({ pick, drag, drop, zoom }) {
  const place = $("story");
  let from;
  place.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    from = { ...under(event), x: event.clientX, moved: false };
  });
  place.addEventListener("pointermove", (event) => {
    if (!from || event.buttons !== 1) return;
    if (!from.moved && Math.abs(event.clientX - from.x) < 5) return;
    if (!from.moved) place.setPointerCapture(event.pointerId);
    from.moved = true;
    if (from.selected?.kind === "event") drag(from.selected.index, timeAt(pointAt(event).x), false);
    else pick({ at: timeAt(pointAt(event).x) });
  });
  place.addEventListener("pointerup", (event) => {
    if (!from) return;
    if (from.moved && from.selected?.kind === "event") drag(from.selected.index, timeAt(pointAt(event).x), true);
    else if (!from.moved) pick(under(event));
    from = undefined;
  });
  place.addEventListener("pointercancel", () => (from = undefined));
  place.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // The wheel alone scrolls the page.
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.4 : 1 / 1.4, timeAt(pointAt(event).x));
  }, { passive: false });
  place.addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("text/redial")) event.preventDefault();
  });
  place.addEventListener("drop", (event) => {
    const text = event.dataTransfer.getData("text/redial");
    if (!text) return;
    event.preventDefault();
    drop(JSON.parse(text), under(event));
  });
}
