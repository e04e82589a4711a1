// Edits of a plan: each takes a plan and returns a new one. `began` holds the start of each
// step of the script in its last run, and then the end of the script, in milliseconds, so that
// an edit can be made at an instant.

/** Milliseconds of a duration as Go writes it, such as "1m2.5s". */
export function ms(text) {
  if (!text) return 0;
  const units = { h: 3600000, m: 60000, s: 1000, ms: 1, "µs": 1e-3, us: 1e-3, ns: 1e-6 };
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)(ms|µs|us|ns|h|m|s)/g)) sum += Number(number) * units[unit];
  return text.startsWith("-") ? -sum : sum;
}

/** The text of a duration as Go parses it. */
export function duration(milliseconds) {
  return milliseconds % 1000 ? `${Math.round(milliseconds * 1000) / 1000}ms` : `${milliseconds / 1000}s`;
}

const wait = (milliseconds) => ({ do: "wait", for: duration(milliseconds) });
const waitsFor = (step) => step.do.startsWith("await-") || step.do === "barrier";

/** Inserts steps into the script at an instant; the steps after them keep their times. */
export function insertAt({ plan, began }, at, steps) {
  const script = [...plan.script];
  const times = [...began];
  let i = script.findIndex((_, k) => times[k + 1] === undefined || at < times[k + 1]);
  if (i < 0) i = script.length;
  const elapsed = Math.max(0, Math.round(at - (times[i] ?? at)));
  const step = script[i];
  let before = [];
  let after = [];
  let replaced = 0;
  if (!step || (waitsFor(step) && elapsed > 0)) {
    if (elapsed > 0) before = [wait(elapsed)];
  } else if (step.do === "wait") {
    const total = ms(step.for);
    const first = Math.min(elapsed, total);
    replaced = 1;
    if (first > 0) before = [wait(first)];
    if (total - first > 0) after = [wait(total - first)];
  } else if (!waitsFor(step) && times[i] !== undefined && at >= times[i]) {
    i++;
  }
  script.splice(i, replaced, ...before, ...steps, ...after);
  const start = times[i] ?? at;
  times.splice(i, replaced, ...before.map(() => start), ...steps.map(() => at), ...after.map(() => at));
  return { plan: { ...plan, script }, began: times };
}

/** Joins consecutive waits, so that equal plans have equal scripts. */
export function tidy(plan) {
  const script = [];
  for (const step of plan.script) {
    const last = script.at(-1);
    if (step.do === "wait" && last?.do === "wait") script[script.length - 1] = wait(ms(last.for) + ms(step.for));
    else script.push(step);
  }
  return { ...plan, script };
}

const partners = {
  suspend: ["resume"], disconnect: ["connect"], "start-sending": ["stop-sending"],
  "kill-server": ["replace-data", "start-server"], "stop-server": ["replace-data", "start-server"],
  "lock-database": ["unlock-database"], "pause-server": ["continue-server"],
};

/** Removes a step together with the step that ends it: a suspend with its resume. */
export function removeStep(plan, index) {
  const { do: action, client } = plan.script[index];
  const gone = new Set([index]);
  for (const partner of partners[action] ?? []) {
    for (let k = index + 1; k < plan.script.length; k++) {
      const step = plan.script[k];
      if (step.do === action && step.client === client) break;
      if (step.do === partner && step.client === client) {
        gone.add(k);
        break;
      }
    }
  }
  return tidy({ ...plan, script: plan.script.filter((_, k) => !gone.has(k)) });
}

/** Moves a step to another instant; all others keep their times. */
export function moveStep({ plan, began }, index, at) {
  const step = plan.script[index];
  const script = plan.script.toSpliced(index, 1);
  return tidy(insertAt({ plan: { ...plan, script }, began: began.toSpliced(index, 1) }, Math.max(at, began[0] ?? 0), [step]).plan);
}

export function changeStep(plan, index, change) {
  return { ...plan, script: plan.script.map((step, k) => (k === index ? change(structuredClone(step)) : step)) };
}

/** An ID that no fault of the plan has. */
function newID(plan) {
  const taken = new Set([...(plan.faults ?? []), ...plan.script.map((s) => s.fault).filter(Boolean)].map((f) => f.id));
  let n = 1;
  while (taken.has(`f${n}`)) n++;
  return `f${n}`;
}

/** The steps of each action: [milliseconds after the first, step]. */
const actions = {
  send: ({ client, text }) => [[0, { do: "send", client, text }]],
  cut: ({ client, id }) => [[0, { do: "break", fault: { id, kind: "cut", client } }]],
  "half-open": ({ client, id }) => [[0, { do: "break", fault: { id, kind: "half-open", client } }]],
  switch: ({ client, id }) => [[0, { do: "break", fault: { id, kind: "switch", client } }]],
  offline: ({ client, id, length }) => [[0, { do: "break", fault: { id, kind: "outage", client, for: duration(length) } }]],
  slow: ({ client, id, length }) => [[0, { do: "break", fault: { id, kind: "delay", client, delay: "400ms", for: duration(length) } }]],
  refresh: ({ client }) => [[0, { do: "refresh", client }]],
  close: ({ client }) => [[0, { do: "close", client }]],
  open: ({ client }) => [[0, { do: "open", client }]],
  suspend: ({ client, length }) => [[0, { do: "suspend", client }], [length, { do: "resume", client }]],
  restart: ({ id }) => [[0, { do: "break", fault: { id, kind: "restart" } }]],
  kill: ({ length }) => [[0, { do: "kill-server" }], [length, { do: "start-server" }]],
  lock: ({ length }) => [[0, { do: "lock-database" }], [length, { do: "unlock-database" }]],
  empty: ({ length }) => [[0, { do: "kill-server" }], [0, { do: "replace-data" }], [length, { do: "start-server" }]],
};

/** Adds one of the actions above at an instant, with its client and duration. */
export function act({ plan, began }, at, action, options = {}) {
  const list = actions[action]({ ...options, length: options.length ?? 5000, id: newID(plan) });
  const groups = Map.groupBy(list, ([after]) => after);
  let state = { plan, began };
  for (const [after, steps] of groups) state = insertAt(state, at + after, steps.map(([, step]) => step));
  return tidy(state.plan);
}

const names = ["alice", "bob", "carol", "dave", "erin", "frank"];
export const mostPages = 6;

/** Opens one more page at an instant: a tab of an existing browser, or a page of another user. */
export function addPage({ plan, began }, at, tabOf) {
  const taken = new Set(plan.clients.map((c) => c.name));
  const first = plan.clients.find((c) => c.name === tabOf)?.tabOf ?? tabOf;
  let name = names.find((n) => !taken.has(n)) ?? `page ${plan.clients.length + 1}`;
  if (tabOf) for (let n = 2; taken.has((name = `${first}-${n}`)); n++);
  const client = first ? { name, tabOf: first } : { name };
  const steps = [{ do: "open", client: name }];
  return tidy(insertAt({ plan: { ...plan, clients: [...plan.clients, client] }, began }, at, steps).plan);
}

/** Adds a fault at a frame: before it, so that the frame is lost, or after it. */
export function breakAtFrame(plan, frame, kind, after, length = 5000) {
  const at = { direction: frame.direction, number: frame.number, connection: frame.connection };
  if (after) at.after = true;
  const fault = { id: newID(plan), kind, at };
  if (kind === "crash" || kind === "restart") at.client = frame.client;
  else fault.client = frame.client;
  if (kind === "outage") fault.for = duration(length);
  return { ...plan, faults: [...(plan.faults ?? []), fault] };
}

export function removeFault(plan, id) {
  return { ...plan, faults: (plan.faults ?? []).filter((f) => f.id !== id) };
}

/** The index of the step that causes an event, or -1. */
export function stepOf(run, event) {
  const e = run.events[event];
  const { script } = run.plan;
  if (e.fault) return script.findIndex((s) => s.fault?.id === e.fault && s.do === "break");
  const does = { sent: "send", opened: "open", closed: "close", "server-stopped": "kill-server", "server-started": "start-server" }[e.kind];
  if (!does) return -1;
  const at = ms(e.at);
  return script.findIndex((s, k) => {
    const fits = s.do === does || (e.kind === "opened" && s.do === "refresh") || (e.kind === "closed" && s.do === "refresh");
    return fits && (s.client ?? "") === (e.client ?? "") && run.began[k] <= at + 1e-6 && (run.began[k + 1] ?? Infinity) >= at;
  });
}
