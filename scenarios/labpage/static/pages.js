// The pages as their users see them at the cursor, and the server. Every action here edits
// the plan at that instant.
import { el, fill, $ } from "./dom.js";
import { t, has, span } from "./words.js";
import { pageAt, serverAt } from "./moment.js";
import { mostPages } from "./edit.js";

const lengths = { offline: 5, slow: 10, suspend: 60, kill: 2, lock: 8, empty: 2 };

export function drawPages(run, cursor, edit) {
  fill($("pages"), run.pages.map((p) => pageCard(run, pageAt(run, p, cursor), edit)), newPage(run, edit));
  fill($("server"), serverCard(run, serverAt(run, cursor), edit));
  for (const list of document.querySelectorAll(".messages, .log")) list.scrollTop = list.scrollHeight; // The newest message is at the end.
}

function action(name, act, options = {}) {
  const label = t(`do ${name}`);
  return el("button", {
    type: "button", title: t(`why ${name}`), disabled: !!options.disabled, draggable: options.draggable ? "true" : undefined,
    data: { action: name, key: `${options.key}:${name}` }, onclick: () => act(name, secondsOf(options.key, name)),
    ondragstart: options.draggable && ((event) => event.dataTransfer.setData("text/redial", JSON.stringify({ action: name, client: options.key }))),
  }, label);
}

function secondsOf(key, name) {
  const input = document.querySelector(`[data-key="${CSS.escape(`${key}:${name}:for`)}"]`);
  return input ? Math.min(Math.max(Number(input.value) || 1, 0.01), 300) * 1000 : undefined;
}

/** An action that lasts: a button and its duration. */
function lasting(name, act, options) {
  return el("span", { class: "lasting" }, action(name, act, options),
    el("label", {}, el("span", { class: "unseen" }, t("for how long", { what: t(`do ${name}`) })),
      el("input", { type: "number", min: "0.1", max: "300", step: "any", value: String(lengths[name]), data: { key: `${options.key}:${name}:for`, keep: "" } }), t("seconds short")));
}

function pageCard(run, page, edit) {
  const key = page.client;
  const act = (name, length) => edit(name, { client: page.client, length });
  const state = page.suspended ? "suspended" : page.state;
  const down = !page.connected || page.suspended;
  const form = el("form", {
    onsubmit: (event) => {
      event.preventDefault();
      const input = event.target.elements.text;
      const text = input.value.trim();
      if (!text) return;
      input.value = "";
      edit("send", { client: page.client, text });
    },
  },
  el("input", { type: "text", name: "text", maxlength: "300", autocomplete: "off", "aria-label": t("message of", { client: page.client }), placeholder: t("type here"), disabled: !page.open || page.suspended, data: { key: `${key}:text`, keep: "" } }),
  el("button", { disabled: !page.open || page.suspended, data: { key: `${key}:send` } }, t("send")));
  const items = page.messages.map((m) => el("li", { class: m.own ? "own" : "" },
    el("span", { class: "from" }, m.from ?? "?"), el("span", { class: "text" }, m.text), m.offset ? el("span", { class: "offset" }, `#${m.offset}`) : null));
  for (const m of page.missing) items.push(el("li", { class: `missing ${m.promised ? "" : "beyond"}`, title: m.sentence }, el("span", { class: "from" }, t("not shown")), el("span", { class: "text" }, m.message)));
  for (const text of page.pending) items.push(el("li", { class: "pending" }, el("span", { class: "from" }, t("on its way")), el("span", { class: "text" }, text)));
  return el("section", { class: `page ${state}`, data: { client: page.client, state }, "aria-label": t("page of", { client: page.client }) },
    el("header", {},
      el("h3", {}, page.client), page.tabOf ? el("small", {}, t("tab of", { client: page.tabOf })) : null,
      el("span", { class: "state" }, t(`state ${state}`)),
      page.offset ? el("span", { class: "offset", title: t("offset held") }, `#${page.offset}`) : null),
    page.open && !page.connected && page.reason ? el("p", { class: "reason" }, reasonWords(page.reason)) : null,
    el("ul", { class: "messages", tabindex: items.length > 6 ? "0" : undefined, "aria-label": t("messages of", { client: page.client }) }, items),
    form,
    el("details", { class: "actions", data: { key: `${key}:menu` } },
      el("summary", {}, t("break it")),
      el("div", { class: "buttons" },
        ["cut", "half-open", "switch"].map((name) => action(name, act, { key, disabled: down, draggable: true })),
        ["offline", "slow", "suspend"].map((name) => lasting(name, act, { key, disabled: !page.open || page.suspended })),
        page.open
          ? [action("refresh", act, { key, disabled: page.suspended }), action("close", act, { key, disabled: page.suspended })]
          : action("open", act, { key }),
        action("second tab", () => edit("page", { tabOf: page.client }), { key, disabled: run.plan.clients.length >= mostPages }))));
}

function reasonWords(reason) {
  const key = `reason ${reason}`;
  return t(reason.startsWith("io ") ? "reason for good" : "reason", { reason: has(key) ? t(key) : reason });
}

function newPage(run, edit) {
  return el("button", { type: "button", class: "more", disabled: run.plan.clients.length >= mostPages, data: { action: "page", key: "page" }, onclick: () => edit("page", {}) }, t("one more page"));
}

function serverCard(run, server, edit) {
  const key = "server";
  const act = (name, length) => edit(name, { length });
  const state = !server.running ? "down" : server.locked ? "locked" : "running";
  return el("section", { class: `page machine ${state}`, data: { state } },
    el("header", {}, el("h3", {}, t("server")), el("span", { class: "state" }, t(`server ${state}`))),
    server.hasLog
      ? el("ol", { class: "log", tabindex: server.log.length > 8 ? "0" : undefined, "aria-label": t("log") }, server.log.length ? server.log.map((row) => el("li", {}, el("span", { class: "offset" }, `#${row.offset}`), el("span", { class: "text" }, row.text))) : el("li", { class: "none" }, t("log empty")))
      : el("p", { class: "none" }, t("no log")),
    server.sessions.length
      ? el("ul", { class: "sessions", "aria-label": t("sessions") }, server.sessions.map((s) => el("li", {}, t("session left", { client: s.client, time: span(s.from + run.keeps - drawn.cursor) }))))
      : run.keeps ? el("p", { class: "none" }, t("no session")) : el("p", { class: "none" }, t("keeps none")),
    el("details", { class: "actions", data: { key: `${key}:menu` } },
      el("summary", {}, t("break it")),
      el("div", { class: "buttons" },
        action("restart", act, { key, disabled: !server.running }),
        lasting("kill", act, { key, disabled: !server.running }),
        server.hasLog ? [lasting("lock", act, { key, disabled: !server.running || server.locked }), lasting("empty", act, { key, disabled: !server.running })] : null)));
}

/** The cursor that the cards show; app.js sets it. */
export const drawn = { cursor: 0 };
