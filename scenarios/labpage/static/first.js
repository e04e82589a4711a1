// The first document, and the parts of a run to show first.
import { chat } from "./words.js";
import { ms } from "./edit.js";

export function firstDocument() {
  const script = [
    { do: "open", client: "alice" }, { do: "open", client: "bob" }, { do: "await-connected" }, { do: "wait", for: "1s" },
    { do: "send", client: "alice", text: chat("hello") }, { do: "wait", for: "1s" },
    { do: "send", client: "bob", text: chat("hello yourself") }, { do: "wait", for: "2s" },
    { do: "send", client: "alice", text: chat("how are you?") }, { do: "wait", for: "3s" },
  ];
  return { step: "5", plan: { seed: 1, clients: [{ name: "alice" }, { name: "bob" }], script } };
}

/** Translates the page's own stories in a document. */
export function translated({ step, plan }) {
  // A fault can wait for the frame with a message: {at: {match: '42["chat message","live"'}}.
  const fault = (f) => (f?.at?.match ? { ...f, at: { ...f.at, match: f.at.match.replace(/"([^"]*)"/g, (_, text) => JSON.stringify(chat(text))) } } : f);
  const script = plan.script.map((s) => ({ ...s, ...(s.text && { text: chat(s.text) }), ...(s.fault && { fault: fault(s.fault) }) }));
  return { step, plan: { ...plan, script, faults: plan.faults?.map(fault) } };
}

/** An instant before the last message, where a break loses that message if any break does. */
export function beforeLast(run) {
  const last = run.plan.script.findLastIndex((s) => s.do === "send");
  return Math.max(0, (run.began?.[last] ?? run.length) - 800);
}

/** Adds the times of the events as numbers, because every move of the cursor needs them. */
export function prepare(run) {
  run.events ??= [];
  run.events.forEach((e, index) => (e.index = index));
  run.times = run.events.map((e) => ms(e.at));
  run.frames ??= [];
  run.pages ??= [];
  run.findings ??= [];
  return run;
}

/** The window of the story without the loading of the pages. */
export function fitted(run) {
  const first = run.plan.script.findIndex((s) => s.do === "send" || s.do === "break" || s.do === "start-sending");
  const from = first > 0 ? Math.max(0, (run.began?.[first] ?? 0) - 120) : 0;
  const armed = run.events.find((e) => e.kind === "fault-fired");
  return { from: armed ? Math.min(from, Math.max(0, run.times[armed.index] - 60)) : from, to: run.length };
}
