// Explains a step's page to its reader: the state of the connection in words, the sender, the
// time and the offset of each message, the messages that are on their way, and those that
// arrived after a break. It also adds the buttons that keep the page offline. It observes the
// lesson's socket and its two lists, and the lesson works without it. The harness's page skips
// this script, as it skips every script with data-for="people".
(function (words) {
  "use strict";

  const language = navigator.language.startsWith("ko") ? "ko" : "en";
  const translated = (key, values = {}) => words[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const element = (selector) => document.querySelector(selector);
  const messages = element("#messages");
  const form = element("#form");
  const input = element("#input");
  const time = () => new Date().toTimeString().slice(0, 8);

  // The page is written in English, and is translated here into the reader's language.
  document.documentElement.lang = language;
  const step = element("h1 small").textContent.replace("Step ", "");
  element("h1").lastChild.textContent = translated("title " + step);
  element("h1 small").textContent = translated("step", { n: step });
  document.title = translated("step", { n: step }) + ": " + translated("title " + step);
  const labels = {
    "#break": "break", "#form button": "send", "#status": "connecting",
    "summary": "means", "#sent-means": "sent means", "#delivered-means": "delivered means",
  };
  for (const selector of Object.keys(labels)) {
    if (element(selector)) element(selector).textContent = translated(labels[selector]);
  }
  input.placeholder = translated("write");
  input.setAttribute("aria-label", translated("message"));

  // A lesson's notices are in English, too, and are recognised by their words.
  const notice = element("#notice");
  const notices = Object.entries(words.en).filter(([key]) => key.startsWith("notice ")).map(([key, text]) =>
    [key, new RegExp("^" + text.replace(/[.]/g, "\\.").replace(/\{(\w+)\}/g, "(?<$1>[^]*)") + "$")]);
  function translate() {
    for (const [key, form] of notices) {
      const found = form.exec(notice.textContent);
      if (found) return notice.textContent = translated(key, found.groups);
    }
  }
  if (notice && language !== "en") new MutationObserver(translate).observe(notice, { childList: true });

  // The list of messages on their way: the lesson's own, or a list that only this script keeps.
  let pending = element("#pending");
  if (!pending && document.body.dataset.keeps) {
    pending = document.createElement("ul");
    pending.id = "pending";
    messages.after(pending);
  }
  if (pending) pending.setAttribute("aria-label", translated("pending"));

  function button(id, key) {
    const made = document.createElement("button");
    made.id = id;
    made.type = "button";
    made.textContent = translated(key);
    return made;
  }

  // The list follows new messages only while its reader is at the end. For a reader who has
  // scrolled up, a button shows that there are more.
  const newer = button("newer", "newer");
  newer.hidden = true;
  newer.addEventListener("click", toEnd);
  form.before(newer);
  let atEnd = true;
  let endAt = 0; // the scroll position of the end
  const page = document.documentElement;
  const nearEnd = () => window.innerHeight + window.scrollY >= page.scrollHeight - 40;
  function toEnd() {
    atEnd = true;
    newer.hidden = true;
    window.scrollTo(0, page.scrollHeight);
    endAt = window.scrollY;
  }
  // A scroll event comes with the next frame, and a message or a resize may come before it.
  const scrolledUp = () => !atEnd || (window.scrollY < endAt - 40 && !nearEnd());
  function added() {
    if (scrolledUp()) newer.hidden = false;
    else toEnd();
  }
  window.addEventListener("scroll", () => {
    atEnd = nearEnd();
    endAt = window.scrollY;
    if (atEnd) newer.hidden = true;
  }, { passive: true });
  window.addEventListener("resize", () => scrolledUp() || toEnd()); // A phone's keyboard changes the height.
  for (const list of [messages, pending]) {
    if (list) new MutationObserver((changes) => changes.some((change) => change.addedNodes.length > 0) && added()).observe(list, { childList: true });
  }
  // This handler runs before the lesson's own.
  let typed = "";
  document.addEventListener("submit", () => {
    typed = input.value;
    atEnd = true;
  }, true);

  // describe adds a small line below a message. It is an attribute that the stylesheet shows,
  // because the text of the item must be the message alone.
  function describe(item, ...parts) {
    item.dataset.about = parts.filter(Boolean).join(" · ");
  }

  // The lesson's script has run by then, so its handlers run before these.
  document.addEventListener("DOMContentLoaded", () => {
    form.addEventListener("submit", () => {
      const item = messages.lastElementChild;
      if (document.body.dataset.keeps || !item || item.dataset.about) return;
      item.className = "own";
      describe(item, translated("you"), time(), translated("local"));
    });
    if (typeof socket !== "undefined") explain(socket, document.body.dataset);
  });

  // recovers names what the step restores after a break (the session, the log, the whole
  // state, or nothing), and keeps names where a message on its way is stored (nowhere, in the
  // page, in the browser).
  function explain(socket, { recovers, keeps, servers }) {
    const status = element("#status");
    const showStatus = (text) => { if (status.textContent !== text) status.textContent = text; };
    const connected = () => (servers === undefined ? translated("connected") : translated("connected to", { server: socket.io.uri.replace(/.*\//, "") }));
    const link = breakable(socket);

    // The words for a lost connection, with the seconds until the next attempt. A screen
    // reader reads only the first of them, and not one each second.
    let next = 0;
    let ticking;
    function countdown(live = "polite") {
      clearTimeout(ticking);
      if (socket.connected || !socket.active) return;
      const n = Math.ceil((next - Date.now()) / 1000);
      status.setAttribute("aria-live", live);
      showStatus(n > 0 ? translated(link.offline ? "kept offline" : link.back ? "network is back" : "lost", { n }) : translated("trying"));
      if (n > 0) ticking = setTimeout(countdown, 200, "off");
    }
    link.changed = countdown;
    // The library does not report how long it waits, but it asks its backoff.
    const { backoff } = socket.io;
    const { duration } = backoff;
    backoff.duration = function () {
      const wait = duration.call(this);
      next = Date.now() + wait;
      setTimeout(countdown);
      return wait;
    };

    // phase is "first" until the page has caught up once, then "live", and "disconnected" from
    // a break until it has caught up again; missed counts the messages of that time. A server
    // does not mark the end of its replay: the replay counts as over when no message has
    // arrived for a second, and at the latest five seconds after the connection.
    let phase = "first";
    let missed = 0;
    let since = 0;
    let quiet;
    function caughtUpSoon() {
      clearTimeout(quiet);
      const replayed = ["log", "state"].includes(recovers) && !socket.recovered;
      if (replayed) quiet = setTimeout(caughtUp, Math.min(1000, since + 5000 - Date.now()));
      else if (socket.connected) caughtUp();
    }
    function caughtUp() {
      if (phase === "disconnected") returned(true);
      phase = "live";
    }
    function returned(whole) {
      if (!["log", "session", "state"].includes(recovers)) return showStatus(translated(recovers === "nothing" ? "again nothing" : "again"));
      if (recovers === "session" && !socket.recovered) return showStatus(translated("again unknown"));
      const key = missed > 1 ? "missed many" : missed === 1 ? "missed one" : whole ? "missed none" : "catching up";
      showStatus(translated(key, { how: translated(socket.recovered ? "recovered" : "again"), n: missed }));
    }
    socket.on("connect", nowConnected);
    function nowConnected() {
      clearTimeout(ticking);
      status.setAttribute("aria-live", "polite");
      if (phase === "disconnected") returned(false);
      else showStatus(connected());
      for (const one of own) one.sent = true;
      own.forEach(onItsWay);
      since = Date.now();
      caughtUpSoon();
    }
    socket.on("disconnect", () => {
      clearTimeout(quiet);
      if (phase !== "disconnected") missed = 0;
      phase = "disconnected";
      for (const one of own) one.unanswered = one.sent;
      own.forEach(onItsWay);
      if (!socket.active) showStatus(translated("ended"));
    });

    // own holds the messages that were written on this page and are not in its list yet. The
    // library sends some of them several times, with one key; any tab of a browser sends the
    // messages of its outbox.
    let own = [];
    if (keeps === "browser") document.addEventListener("submit", () => own.push({ value: typed }), true);
    const { emit } = socket;
    socket.emit = function (event, value, ...more) {
      const key = typeof more[0] === "string" ? more[0] : {};
      if (event !== "chat message" || keeps === "browser" || this.flags.fromQueue || own.some((one) => one.key === key)) {
        return emit.call(this, event, value, ...more);
      }
      const one = { value, key, sent: socket.connected };
      own.push(one);
      if (keeps === "nobody") {
        one.item = document.createElement("li");
        one.item.textContent = typed;
        pending.append(one.item);
        onItsWay(one);
        const answered = more[more.length - 1];
        if (typeof answered === "function") {
          more[more.length - 1] = (answer) => {
            one.item.remove();
            if (answer?.error) own = own.filter((other) => other !== one);
            answered(answer);
          };
        }
      }
      return emit.call(this, event, value, ...more);
    };
    function onItsWay(one) {
      if (one.item) describe(one.item, translated(one.unanswered ? "unanswered" : one.sent ? "way nobody" : "waits nobody"));
    }
    // The lesson itself, or another tab, adds messages to those on their way.
    if (keeps === "page" || keeps === "browser") {
      const describePending = () => {
        for (const item of pending.children) describe(item, translated(item.className === "stored" ? "elsewhere" : "way " + keeps));
      };
      new MutationObserver(describePending).observe(pending, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
      describePending();
    }
    // A message that waits here and was not written here is from another tab or view. Another
    // tab's message may be delivered before this tab sees it wait; then the lesson's map of
    // stored messages has its offset.
    let waited = false;
    const announced = typeof stored === "undefined" ? new Map() : stored;
    socket.onAny((event, value, offset) => {
      waited = event === "chat message" && Boolean(pending) &&
        (Array.from(pending.children).some((item) => item.textContent === value) || Array.from(announced.values()).includes(offset));
    });
    // An object comes back with its fields in another order, so it is taken for the first that waits.
    function isOwn(value) {
      const found = own.findIndex((one) => one.value === value || (typeof one.value === "object" && typeof value === "object"));
      const [one] = found < 0 ? [] : own.splice(found, 1);
      if (one && one.item) one.item.remove();
      return found >= 0;
    }

    socket.on("chat message", (value, ...rest) => {
      const item = messages.lastElementChild;
      if (!item || item.dataset.about) return; // The lesson shows it already.
      const mine = isOwn(value);
      const [offset] = rest;
      const counted = typeof offset === "number" || (recovers === "session" && typeof offset === "string");
      arrived(item, mine ? "you" : waited ? "this browser" : "other", counted && translated("offset", { offset }));
      if (mine) return;
      if (phase === "disconnected" && socket.connected) returned(false);
      if (phase !== "live" && !socket.recovered) caughtUpSoon();
    });
    function arrived(item, who, offset) {
      if (who !== "other") item.className = "own";
      if (who !== "you" && phase === "disconnected") missed++;
      if (who === "other" && phase === "first" && recovers !== "session") describe(item, translated("earlier"), offset);
      else describe(item, translated(who), who !== "you" && phase === "disconnected" ? translated("late", { time: time() }) : time(), offset);
    }
    // In step 7a the server sends the whole list at each connection. The list begins with the
    // messages that were here.
    let before = [];
    socket.on("state", () => {
      Array.from(messages.children).forEach((item, i) => {
        if (before[i]) return [item.className, item.dataset.about] = before[i];
        arrived(item, isOwn(item.textContent) ? "you" : "other");
      });
    });
    socket.on("state", remember);
    socket.on("chat message", remember);
    function remember() {
      if (recovers === "state") before = Array.from(messages.children, (item) => [item.className, item.dataset.about]);
    }

    // The socket may have connected before this script ran.
    for (const item of messages.children) describe(item, translated("earlier"));
    if (socket.connected) nowConnected();
  }

  // breakable adds the buttons that keep the network unavailable. It closes the connection and
  // lets each attempt to reconnect fail inside the page. The client then waits, retries and
  // recovers as in a real outage, which it does not after socket.disconnect().
  function breakable(socket) {
    const link = { offline: false, back: false, changed() {} };
    const stay = button("stay-offline", "stay offline");
    const come = button("come-back", "come back");
    come.disabled = true;
    element("#break").after(stay, come);

    const manager = socket.io;
    const { open } = manager;
    manager.open = function (done) {
      if (!link.offline) return open.call(this, done);
      const error = new Error("the page is kept offline");
      setTimeout(() => {
        this.emitReserved("error", error);
        done(error);
      });
      return this;
    };
    // This ends an attempt that was under way.
    manager.on("open", () => {
      link.back = false;
      if (link.offline) manager.engine.close();
    });
    function keep(offline) {
      stay.disabled = offline;
      come.disabled = !offline;
      (offline ? come : stay).focus();
      link.offline = offline;
      link.back = !offline && !socket.connected;
      if (offline && socket.connected) manager.engine.close();
      link.changed();
    }
    stay.addEventListener("click", () => keep(true));
    come.addEventListener("click", () => keep(false));
    // Closing a connection that is still being opened would leave the client waiting.
    element("#break").addEventListener("click", (event) => {
      if (!socket.connected) event.stopImmediatePropagation();
    }, true);
    return link;
  }
})
