// How a page that is written in the tutorial's words speaks as another application does.
// It sits between the page and the client library: what the page emits is sent as
// host.protocol (speak.go) says, and what the server sends reaches the page as a
// "chat message". It counts on how socket.io-client 4 is made: packet, onconnect,
// onevent and emitEvent are the socket's own methods and are replaced on the instance.
// Names that begin with an underscore are out of reach: minified builds have others.
(function (window, shim, host) {
  "use strict";

  const { protocol } = host;
  const CONNECT = 0;
  const EVENT = 2;
  const unheard = "redial: unheard";

  // What an EnterStep saves outlives the page, as a session's id does in a real one.
  const storageKey = "redial: saved";
  const saved = () => JSON.parse(window.localStorage.getItem(storageKey) || "{}");
  function save(at, args) {
    const { found, missing } = protocol.pick(at, args);
    for (const name of missing) host.note(`while entering: there is no ${name} to save`);
    window.localStorage.setItem(storageKey, JSON.stringify(Object.assign(saved(), found)));
  }

  // speaker takes over the options of one io(...) of the page's.
  return function speaker(options) {
    let socket; // as soon as there is one
    const auth = () => (socket || options).auth;
    const named = () => Number(auth() && auth()[host.authOffset]) || 0;
    const name = (offset) => { if (auth()) auth()[host.authOffset] = offset; };
    const values = (more) => Object.assign(saved(), { offset: named() }, more);

    if (protocol.path) options.path = protocol.path;
    // The library reads both anew for each connection.
    for (const option of ["query", "extraHeaders"]) {
      if (protocol[option]) Object.defineProperty(options, option, { get: () => protocol[option](values()), enumerable: true });
    }
    // With retries, the library would wait for acknowledgements that never come.
    if (protocol.noAck) {
      delete options.retries;
      delete options.ackTimeout;
    }

    return { namespace: protocol.namespace, namesOffset: protocol.namesOffset, refusal: protocol.refusal, attach };

    // attach teaches the socket. received is told of each message that arrives, before
    // the page is.
    function attach(made, received) {
      socket = made;
      const { packet, emit, emitEvent, onconnect, onevent, connect } = socket;

      // session is the pid that the server has sent last. The library learns of it only
      // when the client has entered, so what it has to say of it is said here.
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

      // The library's retry queue has the translated event already.
      socket.emit = function (event, ...args) {
        if (event !== host.chatEvent || this.flags.fromQueue) return emit.call(this, event, ...args);
        const callback = typeof args[args.length - 1] === "function" ? args.pop() : undefined;
        // A page of a level without keys has none to send.
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

      // A message that contains what is to be learned, such as the other user's ID, waits
      // until that is known, as a user would.
      const unsent = [];
      const knows = () => protocol.awaited.every((name) => name in saved());
      function learn([event, ...args]) {
        const found = protocol.learned(event, args, values());
        if (!found) return;
        window.localStorage.setItem(storageKey, JSON.stringify(Object.assign(saved(), found)));
        if (knows()) for (const send of unsent.splice(0)) send();
      }

      // Other events than messages stay with the translation: their names may mean
      // something else to the page.
      socket.emitEvent = function (args) {
        const { messages, whole } = protocol.read(args[0], args.slice(1));
        (whole ? showAll : showEach)(messages);
        // The library takes the offset of connection state recovery from an event that
        // has no listeners.
        emitEvent.call(this, [unheard, args[args.length - 1]]);
      };

      // shown has, by text, what this page has been handed. An own message waits there
      // for the copy that the server may send.
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
        // A page takes the offset of what it shows for its own, also where there is none.
        const before = named();
        try {
          for (const listener of socket.listeners(host.chatEvent).slice()) listener.call(socket, text, ...(offset === undefined ? [] : [offset]));
        } finally {
          if (offset === undefined) name(before);
        }
      }
      // settle takes a copy of what the page shows: it is not shown, but it counts.
      function settle(message, offset) {
        message.own = false;
        if (offset === undefined) return;
        message.offset = offset;
        if (offset > named()) name(offset);
      }
      function showOwn(text, key) {
        if (sentKeys.has(key)) return; // the page tries again
        sentKeys.add(key);
        try {
          // From a server, bytes arrive as an ArrayBuffer.
          hand(ArrayBuffer.isView(text) ? Uint8Array.from(text).buffer : text, { own: true });
        } catch (error) {
          shim.uncaught(error); // the page's handler failed, and not its sending
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
      // showAll hands on what the list has more than the page. Where one of the two has
      // no offset, the text decides.
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

      // entering is what is under way between the CONNECT packet and the page's connect.
      // Till then the socket is not connected, so that the library buffers both ways.
      let entering;
      socket.onconnect = function (id, pid) {
        recovered = Boolean(pid) && pid === session;
        session = pid;
        if (protocol.steps.length === 0) return onconnect.call(this, id, pid);
        entering = { at: 0, arrived: [], connect: () => onconnect.call(this, id, pid) };
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
      // A second CONNECT packet would be a violation of the protocol.
      socket.connect = function () { return entering ? this : connect.call(this); };

      function begin() {
        const mine = entering;
        const step = protocol.steps[mine.at];
        mine.answer = undefined;
        mine.timer = window.setTimeout(() => {
          host.note(`while entering: ${step.await ? `the event ${step.await}` : "an acknowledgement"} did not come within 20 s, so the client closed the connection`);
          socket.io.engine.close();
        }, 20000); // as wire clients: see enterBound
        if (!step.emits) return;
        mine.arrived = []; // what came before is no answer
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
          if (++entering.at === protocol.steps.length) break;
          begin();
        }
        const { connect } = entering;
        entering = undefined;
        connect();
      }
      // What came in a session that was not entered was not delivered, and recovery sends
      // it again.
      socket.io.on("close", () => {
        if (!entering) return;
        window.clearTimeout(entering.timer);
        socket.receiveBuffer = [];
        entering = undefined;
      });
    }
  };
});
