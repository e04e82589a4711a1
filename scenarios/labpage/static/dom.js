/** Makes an element with properties (on… for listeners, data for data-…) and children. */
export function el(name, properties = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(e.dataset, value);
    else if (key in e && typeof value !== "string") e[key] = value;
    else e.setAttribute(key, value === true ? "" : value);
  }
  e.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false));
  return e;
}

export const $ = (id) => document.getElementById(id);

/** Replaces the children of a parent. The control with the same data-key gets the focus back. */
export function fill(parent, ...children) {
  const key = parent.contains(document.activeElement) && document.activeElement.dataset.key;
  const { value, selectionStart } = document.activeElement ?? {};
  const typed = key && document.activeElement.tagName === "INPUT" && document.activeElement.type === "text";
  const open = new Set([...parent.querySelectorAll("details[open][data-key]")].map((d) => d.dataset.key));
  const kept = new Map([...parent.querySelectorAll("input[data-keep]")].map((i) => [i.dataset.key, i.value]));
  parent.replaceChildren(...children.flat().filter(Boolean));
  for (const d of parent.querySelectorAll("details[data-key]")) d.open = open.has(d.dataset.key);
  for (const i of parent.querySelectorAll("input[data-keep]")) if (kept.has(i.dataset.key)) i.value = kept.get(i.dataset.key);
  if (!key) return;
  const again = parent.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!again) return;
  again.focus({ preventScroll: true });
  if (typed && again.value === value) again.setSelectionRange?.(selectionStart, selectionStart);
}
