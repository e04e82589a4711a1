// Translates between a page with the tutorial's events and a server with another protocol.
// It sits between the page and the client library: it sends the page's events as
// host.protocol (speak.go) describes, and passes the server's events to the page as
// "chat message". It relies on socket.io-client 4: packet, onconnect, onevent and emitEvent
// are methods of the socket, and are replaced on the instance. It uses no name that begins
// with an underscore, because minified builds rename those.
(function (window, shim, host) {
  "use strict";

  const { protocol } = host;
  const CONNECT = 0;
  const EVENT = 2;
  const unheard = "redial: unheard";

  // The values that an EnterStep saves outlive the page, as a session's id does in a real one.
  const storageKey = "redial: saved";
  const saved = () => JSON.parse(window.localStorage.getItem(storageKey) || "{}");
  function save(at, args) {
    const { found, missing } = protocol.pick(at, args);
    for (const name of missing) host.note(`while entering: there is no ${name} to save`);
    window.localStorage.setItem(storageKey, JSON.stringify(Object.assign(saved(), found)));
  }

  // speaker takes the options of one call of io(...) by the page.
  return function speaker(options) {
    let socket; // undefined until attach
    const auth = () => (socket || options).auth;
    const named = () => Number(auth() && auth()[host.authOffset]) || 0;
    const name = (offset) => { if (auth()) auth()[host.authOffset] = offset; };
    const values = (more) => Object.assign(saved(), { offset: named() }, more);

    if (protocol.path) options.path = protocol.path;
    // The library reads both again for each connection.
    for (const option of ["query", "extraHeaders"]) {
      if (protocol[option]) Object.defineProperty(options, option, { get: () => protocol[option](values()), enumerable: true });
    }
    // With retries, the library would wait for acknowledgements that never come.
    if (protocol.noAck) {
      delete options.retries;
      delete options.ackTimeout;
    }

    return { namespace: protocol.namespace, namesOffset: protocol.namesOffset, refusal: protocol.refusal, attach };

    // attach replaces the socket's methods. It calls received for each message that arrives,
    // before the page receives it.
    function attach(made, received) {
      socket = made;
      const { packet, emit, emitEvent, onconnect, onevent, connect } = socket;

      // session is the pid that the server sent last. The library receives it only after the
      // client has entered, so this code sends it until then.
      let session;
      let recovered = false;
      Object.defineProperty(socket, "recovered", { get: () => recovered, set() {}, enumerable: true });
      socket.packet = function (sent) {
        if (sent.type === CONNECT) {
          const { offset } = sent.data || {};
          const filled = protocol.auth && protocol.auth(values());
          sent.data = session ? Object.assign({ pid: session, offset }, filled) : filled;
        }
        return packet.call(this, sent);
      };

      // The library's retry queue holds the translated event already.
      socket.emit = function (event, ...args) {
        if (event !== host.chatEvent || this.flags.fromQueue) return emit.call(this, event, ...args);
        const callback = typeof args[args.length - 1] === "function" ? args.pop() : undefined;
        // At a level without keys the page sends none.
        const [text, key = window.crypto.randomUUID()] = args;
        const send = () => {
          const message = protocol.message(values({ text, key }));
          if (callback && !protocol.noAck) message.push(callback);
          emit.apply(this, message);
        };
        if (knows()) send();
        else unsent.push(send);
        if (protocol.noEcho) showOwn(text, key);
        return this;
      };

      // A message that contains a value to be learned, such as the other user's ID, waits
      // until the value is known, as a user would.
      const unsent = [];
      const knows = () => protocol.awaited.every((name) => name in saved());
      function learn([event, ...args]) {
        const found = protocol.learned(event, args, values());
        if (!found) return;
        window.localStorage.setItem(storageKey, JSON.stringify(Object.assign(saved(), found)));
        if (knows()) for (const send of unsent.splice(0)) send();
      }

      // The page receives no events other than messages: their names may mean something else
      // to it.
      socket.emitEvent = function (args) {
        const { messages, whole } = protocol.read(args[0], args.slice(1));
        (whole ? showAll : showEach)(messages);
        // The library takes the offset of connection state recovery from an event even if the
        // event has no listeners.
        emitEvent.call(this, [unheard, args[args.length - 1]]);
      };

      // shown holds the messages that this page has received, by text. The page's own message
      // waits there for the copy that the server may send.
      const shown = new Map();
      const sentKeys = new Set();
      function shownWith(text) {
        const as = text instanceof ArrayBuffer ? "bytes " + new Uint8Array(text) : JSON.stringify(text);
        if (!shown.has(as)) shown.set(as, []);
        return shown.get(as);
      }
      function hand(text, message) {
        const { offset } = message;
        shownWith(text).push(message);
        received(text, offset);
        // A page takes over the offset of each message that it shows, even a missing one.
        const before = named();
        try {
          for (const listener of socket.listeners(host.chatEvent).slice()) listener.call(socket, text, ...(offset === undefined ? [] : [offset]));
        } finally {
          if (offset === undefined) name(before);
        }
      }
      // settle receives a copy of a message that the page shows already: the page takes over its
      // offset and does not show it again.
      function settle(message, offset) {
        message.own = false;
        if (offset === undefined) return;
        message.offset = offset;
        if (offset > named()) name(offset);
      }
      function showOwn(text, key) {
        if (sentKeys.has(key)) return; // The page sends it again.
        sentKeys.add(key);
        try {
          // Bytes from a server arrive as an ArrayBuffer.
          hand(ArrayBuffer.isView(text) ? Uint8Array.from(text).buffer : text, { own: true });
        } catch (error) {
          shim.uncaught(error); // The page's handler failed, and not the sending.
        }
      }
      function showEach(messages) {
        for (const { text, offset } of messages) {
          const own = shownWith(text).find((message) => message.own);
          if (!own) {
            hand(text, { offset });
            continue;
          }
          received(text, offset);
          settle(own, offset);
        }
      }
      // showAll passes on the messages of the list that the page does not show. If one of the
      // two has no offset, their texts are compared.
      function showAll(list) {
        const known = new Set();
        for (const { text, offset } of list) {
          const free = shownWith(text).filter((message) => !known.has(message));
          const same = free.find((message) => message.offset === offset) ||
            free.find((message) => message.offset === undefined || offset === undefined);
          const message = same || { offset };
          known.add(message);
          if (same) settle(message, offset);
          else hand(text, message);
        }
      }

      // entering is the exchange between the CONNECT packet and the page's connect event.
      // Until its end the socket is not connected, so that the library buffers in both
      // directions.
      let entering;
      socket.onconnect = function (id, pid) {
        recovered = Boolean(pid) && pid === session;
        session = pid;
        const at = stepFrom(0);
        if (at === protocol.steps.length) return onconnect.call(this, id, pid);
        entering = { at, arrived: [], connect: () => onconnect.call(this, id, pid) };
        begin();
        advance();
      };
      socket.onevent = function (packet) {
        if (protocol.learned) learn(packet.data);
        onevent.call(this, packet);
        if (!entering) return;
        entering.arrived.push(packet.data);
        advance();
      };
      // A second CONNECT packet would violate the protocol.
      socket.connect = function () { return entering ? this : connect.call(this); };
      if (protocol.reconnects) socket.on("disconnect", (reason) => { if (reason === "io server disconnect") socket.connect(); });

      // stepFrom is the first step from a number on that is not left out.
      function stepFrom(at) {
        while (at < protocol.steps.length && recovered && protocol.steps[at].unrecovered) at++;
        return at;
      }
      function begin() {
        const mine = entering;
        const step = protocol.steps[mine.at];
        mine.answer = undefined;
        mine.timer = window.setTimeout(() => {
          host.note(`while entering: ${step.await ? `the event ${step.await}` : "an acknowledgement"} did not come within 20 s, so the client closed the connection`);
          socket.io.engine.close();
        }, 20000); // the same as for wire clients: see enterBound
        if (!step.emits) return;
        mine.arrived = []; // Earlier events are no answer.
        const sent = { type: EVENT, data: protocol.enter(mine.at, values()), options: { compress: true } };
        if (step.ack) {
          sent.id = socket.ids++;
          socket.acks[sent.id] = (...answer) => {
            mine.answer = answer;
            if (entering === mine) advance();
          };
        }
        socket.packet(sent);
      }
      function advance() {
        for (;;) {
          const step = protocol.steps[entering.at];
          const event = step.await ? entering.arrived.findIndex(([name]) => name === step.await) : 0;
          if (event < 0 || (step.ack && !entering.answer)) return;
          if (step.saves) save(entering.at, step.await ? entering.arrived[event].slice(1) : entering.answer);
          if (step.await) entering.arrived.splice(event, 1);
          window.clearTimeout(entering.timer);
          entering.at = stepFrom(entering.at + 1);
          if (entering.at === protocol.steps.length) break;
          begin();
        }
        const { connect } = entering;
        entering = undefined;
        connect();
      }
      // The events of a session that was not entered were not delivered, and recovery sends
      // them again.
      socket.io.on("close", () => {
        if (!entering) return;
        window.clearTimeout(entering.timer);
        socket.receiveBuffer = [];
        entering = undefined;
      });
    }
  };
});
