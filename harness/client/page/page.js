// What the harness adds to a page: it observes the sockets that the page creates, and types
// messages. The page and the client library run unchanged.
(function (window, shim, host) {
  "use strict";

  // The library sets the global io, and this setter wraps it before the page reads it.
  let io;
  Object.defineProperty(window, "io", {
    get: () => io,
    set: (value) => { io = typeof value === "function" && value.Manager && value.Socket ? wrap(value) : value; },
    enumerable: true,
    configurable: true,
  });

  function wrap(original) {
    function wrapped(uri, options) {
      if (typeof uri === "object" && uri !== null) {
        options = uri;
        uri = undefined;
      }
      options = Object.assign({}, options, { transports: host.transports.split(",") });
      const speaker = host.speaker && host.speaker(options); // speak.js
      return observe(original((speaker && speaker.namespace) || uri, options), options, speaker);
    }
    return Object.assign(wrapped, original, { io: wrapped, connect: wrapped });
  }

  const sockets = [];
  function observe(socket, options, speaker) {
    if (sockets.includes(socket)) return socket;
    sockets.push(socket);
    socket.on("connect", () => host.connected(Boolean(socket.recovered), sockets.every((one) => one.connected)));
    socket.on("disconnect", (reason) => host.disconnected(String(reason)));
    socket.on("connect_error", (error) => host.connectError(shim.describe(error)));
    // asked is the offset that the page has sent; the page may withdraw it when the server
    // reports another log. sent holds the offsets that arrived on this connection. A recovered
    // session follows the library's own offset, and the client may have buffered a part of it.
    const named = () => Number(socket.auth && socket.auth[host.authOffset]) || 0;
    const sent = new Set();
    let asked = 0;
    socket.io.on("open", () => { asked = !speaker || speaker.namesOffset ? named() : 0; sent.clear(); });
    const received = (text, offset) => {
      if (typeof offset !== "number") return;
      const again = !socket.recovered && (sent.has(offset) || offset <= Math.min(asked, named()));
      sent.add(offset);
      host.offset(asText(text), offset, again);
    };
    if (speaker) speaker.attach(socket, received);
    else socket.onAny((event, text, offset) => { if (event === host.chatEvent) received(text, offset); });
    const emit = socket.emit;
    socket.emit = function (event, ...args) {
      // The library's retry queue calls this with every attempt.
      if (event === host.chatEvent && !this.flags.fromQueue) watchAnswer(this, args, options, speaker);
      return emit.call(this, event, ...args);
    };
    return socket;
  }

  // typed is the text that is being submitted, because a page may send another value for it.
  let typed;
  const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

  // watchAnswer wraps the page's acknowledgement callback. With retries the library requests
  // an acknowledgement even if the page does not; then the callback is the harness's alone,
  // and nothing changes on the wire.
  function watchAnswer(socket, args, options, speaker) {
    if (speaker && !speaker.refusal) return; // The server sends no acknowledgement.
    const queued = Boolean(options.retries) && !socket.flags.volatile;
    const last = args[args.length - 1];
    const callback = typeof last === "function" ? args.pop() : undefined;
    if (!callback && !queued) return;
    const text = typed !== undefined ? typed : asText(args[0]);
    const timeout = socket.flags.timeout !== undefined ? socket.flags.timeout : options.ackTimeout;
    const errorFirst = queued || timeout !== undefined || Boolean(callback && callback.withError);
    const answered = function (...answer) {
      const [error, ...values] = errorFirst ? answer : [null, ...answer];
      // A first argument that is an error, or an Error as the answer, comes from the library:
      // the server has not answered.
      if ((error === null || error === undefined) && !(values[0] instanceof Error)) {
        const refusal = (speaker ? speaker.refusal : tutorialRefusal)(values);
        if (!refusal) host.acknowledged(text);
        else {
          host.refused(text, asText(refusal[host.refusalField]));
          if (speaker) answer = errorFirst ? [error, refusal] : [refusal];
        }
      }
      if (callback) return callback.apply(this, answer);
    };
    if (callback && callback.withError) answered.withError = true;
    args.push(answered);
  }
  // The reason of a refusal as the page knows it; undefined for any other answer.
  function tutorialRefusal([answer]) {
    return typeof answer === "object" && answer !== null && host.refusalField in answer ? answer : undefined;
  }

  const control = (act) => () => {
    if (sockets.length === 0) return "the page has made no socket";
    for (const socket of sockets) act(socket);
    return "";
  };
  const element = (id) => window.document.getElementById(id);
  return {
    disconnect: control((socket) => socket.disconnect()),
    connect: control((socket) => socket.connect()),
    // This handler is the last one, so the page's own handlers have processed the message.
    throw: control((socket) => socket.once(host.chatEvent, () => { throw new Error("a handler that throws, on purpose"); })),
    missing: (ids) => ids.filter((id) => !element(id)),
    // type fills the input, and returns the reason if that is impossible.
    type(text) {
      const input = element(host.inputID);
      if (!input || !element(host.formID)) return "the page's form or input is gone";
      input.value = text;
      if (input.value === text) return "";
      input.value = "";
      return "the page's input does not take the text as it is";
    },
    submit() {
      element(host.inputID).dispatchEvent(new window.InputEvent("input", { bubbles: true }));
      typed = element(host.inputID).value;
      try { element(host.formID).requestSubmit(); } finally { typed = undefined; }
    },
  };
});
