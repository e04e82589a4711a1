// The state of the pages and of the server at an instant of a run.

export function pageAt(run, page, at) {
  const now = { client: page.client, tabOf: page.tabOf, open: false, state: "never", offset: 0, view: 0, messages: [], pending: [], reason: "" };
  const durable = run.level === "durable-delivery";
  for (const m of page.moments) {
    if (m.at > at + 1e-6) break;
    const before = now.offset;
    now.state = m.state;
    now.offset = m.offset ?? 0;
    now.view = m.view ?? now.view;
    switch (m.kind) {
      case "opened":
        now.open = true;
        now.messages = [];
        if (!durable) now.pending = [];
        break;
      case "closed":
        now.open = false;
        break;
      case "disconnected":
        now.reason = m.detail ?? "";
        break;
      case "connected":
        now.reason = "";
        break;
      case "sent":
        now.pending.push(m.text);
        break;
      case "acknowledged":
      case "refused":
        now.pending = without(now.pending, m.text);
        break;
      case "removed":
        now.messages = now.messages.filter((shown) => shown.text !== m.text);
        break;
      case "shown":
        if (m.offset && m.offset <= before && durable) now.messages = []; // The page has started over with another log.
        now.messages.push({ text: m.text, from: m.from, offset: m.offset, event: m.event, own: m.from === page.client });
        if (m.from === page.client) now.pending = without(now.pending, m.text);
    }
  }
  now.connected = now.open && (now.state === "connected" || now.state === "recovered");
  now.suspended = suspendedAt(run, page.client, at);
  now.missing = (run.findings ?? []).filter((f) => f.client === page.client && f.anomaly === "lost" && f.at >= 0 && f.at <= at + 1e-6 && !now.messages.some((m) => m.text === f.message));
  return now;
}

function without(list, text) {
  const i = list.indexOf(text);
  return i < 0 ? list : list.toSpliced(i, 1);
}

function suspendedAt(run, client, at) {
  let suspended = false;
  run.plan.script.forEach((step, k) => {
    if (step.client !== client || !(run.began?.[k] <= at)) return;
    if (step.do === "suspend") suspended = true;
    if (step.do === "resume") suspended = false;
  });
  return suspended;
}

export function serverAt(run, at) {
  let running = false;
  let locked = false;
  for (const e of run.events) {
    if (run.times[e.index] > at + 1e-6) break;
    if (e.kind === "server-started") running = true;
    if (e.kind === "server-stopped") running = false;
  }
  run.plan.script.forEach((step, k) => {
    if (!(run.began?.[k] <= at)) return;
    if (step.do === "lock-database") locked = true;
    if (step.do === "unlock-database") locked = false;
  });
  const emptied = Math.max(-1, ...run.events.filter((e) => e.kind === "data-replaced" && run.times[e.index] <= at).map((e) => run.times[e.index]));
  const log = (run.log ?? []).filter((row) => row.at <= at + 1e-6 && row.at > emptied);
  const sessions = (run.sessions ?? []).filter((s) => s.from <= at && s.until > at);
  return { running, locked, log, sessions, hasLog: run.level?.includes("delivery") };
}
