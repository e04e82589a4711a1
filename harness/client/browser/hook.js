// What the harness adds to the application's page before the page's own scripts run. It
// reports the list of messages and the traffic of the page's Engine.IO connections. The page's
// scripts and its client library run unchanged.
(function (selector, without, newestFirst, link) {
  "use strict";
  if (window !== window.top || !location.protocol.startsWith("http")) return;
  const send = window.redialReport;
  const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const report = (kind, fields) => send(JSON.stringify({ document: id, kind, ...fields }));

  const [navigation] = performance.getEntriesByType("navigation");
  report("document", { status: navigation ? navigation.responseStatus : 0 });
  document.addEventListener("DOMContentLoaded", () => report("ready"));
  // A script that is missing may be why the page does nothing. The event does not bubble.
  window.addEventListener("error", ({ target }) => {
    if (target instanceof HTMLScriptElement) report("missing", { reason: target.src });
  }, true);

  function textOf(element) {
    if (!without) return element.textContent;
    const skip = (node) => node.nodeType === Node.ELEMENT_NODE && node.matches(without) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT;
    const nodes = document.createTreeWalker(element, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, skip);
    let text = "";
    while (nodes.nextNode()) text += nodes.currentNode.nodeValue || "";
    return text.trim();
  }

  // An observer of the list of messages runs after the task that changed the list, so a list
  // that a framework renders anew with the same messages reports nothing.
  let shown = [];
  let dropped = 0; // the number of oldest messages that a list of limited length has removed
  function look() {
    const now = Array.from(document.querySelectorAll(selector), textOf).filter((text) => text !== "");
    if (newestFirst) now.reverse();
    const begins = (list) => list.length <= now.length && list.every((text, at) => text === now[at]);
    let gone = 0;
    while (gone < shown.length && !begins(shown.slice(gone))) gone++;
    if (gone < shown.length) {
      dropped += gone;
      shown = shown.slice(gone);
    }
    let from = 0;
    while (from < shown.length && shown[from] === now[from]) from++;
    if (from === shown.length && from === now.length) return;
    shown = now;
    report("list", { dropped, from, texts: now.slice(from) });
  }
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });

  // The page processes a packet in the task that delivers it. The packet is reported after
  // that task, so that the history has the events in the order in which the user saw them.
  const queue = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => report(...queue.shift());
  function later(...what) {
    queue.push(what);
    port2.postMessage(0);
  }

  // A session is one Engine.IO connection: over polling, and then possibly over a WebSocket.
  const sessions = new Map();
  const pids = new Map();
  // asked has the namespaces that the page has asked to join and that have not answered.
  const newSession = () => ({ namespaces: new Set(), asked: new Set(), upgraded: false, probing: false, joined: undefined });
  function join(session, namespace, pid) {
    const recovered = typeof pid === "string" && pids.get(namespace) === pid;
    pids.set(namespace, pid);
    if (session.namespaces.size === 0) session.joined = { recovered };
    else if (session.joined) session.joined.recovered &&= recovered;
    session.namespaces.add(namespace);
    answered(session, namespace);
  }
  // A session counts as connected when the page has joined every namespace that it asked for, and
  // its upgrade to a WebSocket has succeeded or failed. While it polls, the browser repeats a
  // request whose connection is cut, and the page does not notice such a cut.
  function answered(session, namespace) {
    session.asked.delete(namespace);
    if (!session.probing && session.asked.size === 0) tell(session);
  }
  function probed(session) {
    session.probing = false;
    answered(session);
  }
  function tell(session) {
    if (session.joined) later("connected", session.joined);
    session.joined = undefined;
  }
  function leave(session, namespace, reason) {
    if (!session.namespaces.delete(namespace)) answered(session, namespace);
    else if (session.namespaces.size === 0) leftAll(session, reason);
  }
  function leftAll(session, reason) {
    tell(session);
    later("disconnected", { reason });
  }
  function end(session, reason) {
    if (session.namespaces.size > 0) leftAll(session, reason);
    session.namespaces.clear();
    session.asked.clear();
    session.probing = false;
  }

  // namespaceOf reads "/chat," in front of a packet's data.
  const namespaceOf = (packet) => (/^4[014]\/([^,]*)/.exec(packet) || ["", ""])[1];
  const dataOf = (packet) => packet.replace(/^4[04](\/[^,]*,)?/, "");
  function parse(text) {
    try { return JSON.parse(text) || {}; } catch { return {}; }
  }
  // A packet of socket.io-msgpack-parser is a map whose first entry is its type.
  function messagePackType(data) {
    const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : [];
    return bytes[0] >> 4 === 8 && String.fromCharCode(...bytes.subarray(1, 6)) === "\xa4type" ? bytes[6] : -1;
  }
  function received(session, packet) {
    if (typeof packet !== "string") {
      const type = messagePackType(packet);
      if (type === 0 || type === -1) joinOnce(session);
      if (type === 1) leave(session, "", "io server disconnect");
      if (type === 4) later("refused", { reason: "the server refuses the namespace" });
    } else if (packet[0] === "0") sessions.set(parse(packet.slice(1)).sid, session);
    else if (packet === "1") end(session, "the server has closed the connection");
    else if (packet.startsWith("40")) join(session, namespaceOf(packet), parse(dataOf(packet)).pid);
    else if (packet.startsWith("41")) leave(session, namespaceOf(packet), "io server disconnect");
    else if (packet.startsWith("44")) {
      const { message } = parse(dataOf(packet));
      later("refused", { reason: typeof message === "string" ? message : dataOf(packet) });
      answered(session, namespaceOf(packet));
    }
    else if (packet[0] === "4" && !/[0-6]/.test(packet[1])) joinOnce(session);
  }
  // With a parser of the application's own, packets cannot be read. The first packet of a
  // server is CONNECT, so a session counts as connected from then on.
  function joinOnce(session) {
    if (session.namespaces.size === 0) join(session, "");
  }
  function sent(session, packet) {
    if (typeof packet !== "string") {
      if (messagePackType(packet) === 1) leave(session, "", "io client disconnect");
    } else if (packet === "1") end(session, "the page has closed the connection");
    else if (packet.startsWith("40")) session.asked.add(namespaceOf(packet));
    else if (packet.startsWith("41")) leave(session, namespaceOf(packet), "io client disconnect");
  }

  // sessionOf returns undefined for anything but an Engine.IO connection.
  function sessionOf(address) {
    const query = new URL(address, location.href).searchParams;
    if (!query.has("EIO")) return undefined;
    return sessions.get(query.get("sid")) || newSession();
  }

  // A page that another server serves names the server under test by itself. Its Engine.IO
  // connections have to pass the client's link, or no fault would meet them.
  function linked(address) {
    if (!link) return address;
    const url = new URL(address, location.href);
    if (!url.searchParams.has("EIO")) return address;
    url.protocol = url.protocol.startsWith("http") ? "http:" : "ws:";
    const to = new URL(link);
    // The name stays, for its cookies: Chromium tries each loopback address for it.
    if (url.hostname === "localhost" && to.hostname === "127.0.0.1") url.port = to.port;
    else url.host = to.host;
    return url.href;
  }

  const NativeSocket = window.WebSocket;
  window.WebSocket = new Proxy(NativeSocket, {
    construct(target, [address, ...rest], newTarget) {
      const socket = Reflect.construct(target, [linked(address), ...rest], newTarget === window.WebSocket ? target : newTarget);
      const session = sessionOf(socket.url);
      if (session) watch(socket, session, !new URL(socket.url).searchParams.has("sid"));
      return socket;
    },
  });
  // carries reports whether this socket carries the session's packets: from the beginning, or,
  // after polling, from the upgrade packet ("5") on.
  function watch(socket, session, carries) {
    socket.addEventListener("message", (event) => received(session, event.data));
    if (!carries) {
      session.probing = true;
      setTimeout(() => probed(session), 5000); // A server may accept the WebSocket and send nothing.
    }
    socket.addEventListener("close", (event) => carries ? end(session, "the WebSocket was closed, " + event.code) : probed(session));
    socket.send = function (data) {
      if (data === "5") {
        carries = session.upgraded = true;
        probed(session);
      }
      sent(session, data);
      return NativeSocket.prototype.send.call(this, data);
    };
    socket.close = function (...reason) {
      if (carries) end(session, "the page has closed the WebSocket");
      return NativeSocket.prototype.close.apply(this, reason);
    };
  }

  function responded(session, status, text) {
    if (status !== 200) {
      if (status !== 0 && session.namespaces.size === 0) later("refused", { reason: "an HTTP request was answered " + status });
      if (!session.upgraded) end(session, "an HTTP request failed" + (status ? ", " + status : ""));
    } else for (const packet of text.split("\x1e")) received(session, packet);
  }
  const requests = new WeakMap();
  const { open: nativeOpen, send: nativeSend } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (method, address, ...rest) {
    const session = sessionOf(address);
    if (session) {
      requests.set(this, session);
      this.addEventListener("readystatechange", () => {
        if (this.readyState === 4) responded(session, this.status, method === "GET" && this.status === 200 ? this.responseText : "");
      });
    }
    return nativeOpen.call(this, method, linked(address), ...rest);
  };
  XMLHttpRequest.prototype.send = function (body) {
    const session = requests.get(this);
    if (session && typeof body === "string") for (const packet of body.split("\x1e")) sent(session, packet);
    return nativeSend.call(this, body);
  };
  const nativeFetch = window.fetch;
  window.fetch = function (resource, options) {
    const address = resource instanceof Request ? resource.url : resource;
    const to = linked(address);
    const answer = nativeFetch.call(this, to === address ? resource : resource instanceof Request ? new Request(to, resource) : to, options);
    const session = sessionOf(address);
    if (session) {
      if (options && typeof options.body === "string") for (const packet of options.body.split("\x1e")) sent(session, packet);
      answer.then(async (response) => responded(session, response.status, await response.clone().text()), () => responded(session, 0, ""));
    }
    return answer;
  };
})
