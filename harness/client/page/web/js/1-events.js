// Events: EventTarget, Event and its kin, DOMException, and how an error that
// nobody caught is told.
(function (window, shim, host) {
  "use strict";

  const inner = (shim.inner = Symbol("inner"));

  class DOMException extends Error {
    constructor(message = "", name = "Error") {
      super(message);
      Object.defineProperty(this, "name", { value: name, configurable: true });
    }
  }

  class Event {
    constructor(type, { bubbles = false, cancelable = false } = {}) {
      if (arguments.length === 0) throw new TypeError("an Event needs a type");
      this[inner] = {
        type: String(type),
        bubbles: Boolean(bubbles),
        cancelable: Boolean(cancelable),
        target: null,
        currentTarget: null,
        phase: 0,
        prevented: false,
        stopped: false,
        stoppedAtOnce: false,
        trusted: false,
        at: host.now(),
      };
    }
    get type() { return this[inner].type; }
    get bubbles() { return this[inner].bubbles; }
    get cancelable() { return this[inner].cancelable; }
    get target() { return this[inner].target; }
    get currentTarget() { return this[inner].currentTarget; }
    get eventPhase() { return this[inner].phase; }
    get defaultPrevented() { return this[inner].prevented; }
    get isTrusted() { return this[inner].trusted; }
    get timeStamp() { return this[inner].at; }
    preventDefault() { if (this[inner].cancelable) this[inner].prevented = true; }
    stopPropagation() { this[inner].stopped = true; }
    stopImmediatePropagation() { this[inner].stopped = this[inner].stoppedAtOnce = true; }
  }

  // kind makes an Event class whose fields come from its second argument.
  function kind(name, defaults) {
    const made = {
      [name]: class extends Event {
        constructor(type, init = {}) {
          super(type, init);
          this[inner].fields = Object.assign({}, defaults, init);
        }
      },
    }[name];
    Object.keys(defaults).forEach((field) => {
      Object.defineProperty(made.prototype, field, {
        get() { return this[inner].fields[field]; },
        enumerable: true,
        configurable: true,
      });
    });
    return made;
  }

  function listenersOf(target, type) {
    const all = target[inner].listeners || (target[inner].listeners = new Map());
    if (!all.has(type)) all.set(type, []);
    return all.get(type);
  }

  class EventTarget {
    constructor() { this[inner] = {}; }
    addEventListener(type, callback, options) {
      if (callback === null || callback === undefined) return;
      const { capture, once, signal } = typeof options === "object" && options !== null ? options : { capture: options };
      if (signal) throw new TypeError("addEventListener with a signal is not implemented by the harness's page");
      const list = listenersOf(this, String(type));
      const same = (l) => l.callback === callback && l.capture === Boolean(capture);
      if (!list.some(same)) list.push({ callback, capture: Boolean(capture), once: Boolean(once), removed: false });
    }
    removeEventListener(type, callback, options) {
      const capture = Boolean(typeof options === "object" && options !== null ? options.capture : options);
      const list = listenersOf(this, String(type));
      const i = list.findIndex((l) => l.callback === callback && l.capture === capture);
      if (i >= 0) list.splice(i, 1)[0].removed = true;
    }
    dispatchEvent(event) {
      if (!(event instanceof Event)) throw new TypeError("dispatchEvent needs an Event");
      if (event[inner].phase !== 0) throw new DOMException("the event is being dispatched already", "InvalidStateError");
      const step = steps(this, event);
      while (step());
      return !event.defaultPrevented;
    }
  }

  // stagesOf says where an event goes: down to its target for those who capture,
  // and up again for the others.
  function stagesOf(target, event) {
    const path = [];
    for (let at = target; at; at = shim.parentForEvents ? shim.parentForEvents(at, event) : null) path.push(at);
    const stages = path.slice(1).reverse().map((at) => ({ at, phase: 1, capture: true }));
    stages.push({ at: target, phase: 2, capture: true }, { at: target, phase: 2, capture: false });
    if (event.bubbles) for (const at of path.slice(1)) stages.push({ at, phase: 3, capture: false });
    return stages;
  }

  // steps dispatches an event one listener at a time: what it returns calls the
  // next one and is false when there is none left. So the host can let microtasks
  // run between two listeners, as a browser does for its own events.
  function steps(target, event) {
    const state = event[inner];
    const stages = stagesOf(target, event);
    let queue = [];
    state.target = target;
    state.phase = 1;
    return function step() {
      for (;;) {
        const next = queue.shift();
        if (next && !next.removed && !state.stoppedAtOnce) {
          invoke(next, event);
          return true;
        }
        if (next) continue;
        if (stages.length === 0 || state.stopped) {
          state.phase = 0;
          state.currentTarget = null;
          state.stopped = state.stoppedAtOnce = false;
          return false;
        }
        const { at, phase, capture } = stages.shift();
        state.currentTarget = at;
        state.phase = phase;
        queue = listenersOf(at, event.type).filter((l) => l.capture === capture);
      }
    };
  }

  function invoke(listener, event) {
    const target = event.currentTarget;
    if (listener.once) target.removeEventListener(event.type, listener.callback, listener.capture);
    try {
      const { callback } = listener;
      if (typeof callback === "function") callback.call(target, event);
      else callback.handleEvent(event);
    } catch (error) {
      shim.uncaught(error);
    }
  }

  // fire is steps for the host's own events.
  shim.fire = (target, event) => {
    event[inner].trusted = true;
    return steps(target, event);
  };
  shim.inOrder = (...all) => {
    let i = 0;
    return () => {
      for (; i < all.length; i++) if (all[i]()) return true;
      return false;
    };
  };

  // handlers gives a prototype its on… attributes. A handler takes its place among
  // the listeners when it is first set, and keeps it.
  shim.handlers = (prototype, ...types) => {
    types.forEach((type) => {
      Object.defineProperty(prototype, "on" + type, {
        get() { return (this[inner].handlers || {})[type] || null; },
        set(value) {
          const all = this[inner].handlers || (this[inner].handlers = {});
          const isNew = !(type in all);
          all[type] = typeof value === "function" ? value : null;
          if (!isNew) return;
          this.addEventListener(type, (event) => {
            if (all[type] && all[type].call(this, event) === false) event.preventDefault();
          });
        },
        enumerable: true,
        configurable: true,
      });
    });
  };

  // missing makes names of the web's that are not implemented fail on use instead
  // of being undefined without a word.
  shim.missing = (prototype, what, ...names) => {
    names.forEach((name) => {
      const fail = () => { throw new TypeError(`${what}.${name} is not implemented by the harness's page`); };
      Object.defineProperty(prototype, name, { get: fail, set: fail, configurable: true });
    });
  };

  shim.describe = (error) => {
    if (!(error instanceof Error)) return String(error);
    const at = /\n\s*(at .*)/.exec(error.stack || "");
    return `${error.name}: ${error.message}${at ? " " + at[1].replace(/\(\d+\)/, "") : ""}`;
  };
  let reporting = false;
  shim.uncaught = (error) => {
    host.report("uncaught: " + shim.describe(error));
    if (reporting) return;
    reporting = true;
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    window.dispatchEvent(new shim.ErrorEvent("error", { message, error, cancelable: true }));
    reporting = false;
  };
  shim.rejected = (reason, promise) => {
    host.report("uncaught (in promise): " + shim.describe(reason));
    window.dispatchEvent(new shim.PromiseRejectionEvent("unhandledrejection", { reason, promise, cancelable: true }));
  };
  // call runs what the page handed to the host.
  shim.call = (callback, args) => {
    try {
      callback.apply(window, args);
    } catch (error) {
      shim.uncaught(error);
    }
  };
  shim.exception = (name, message) => new DOMException(message, name);

  const classes = {
    DOMException,
    Event,
    EventTarget,
    CustomEvent: kind("CustomEvent", { detail: null }),
    MessageEvent: kind("MessageEvent", { data: null, origin: "", lastEventId: "", source: null }),
    CloseEvent: kind("CloseEvent", { code: 0, reason: "", wasClean: false }),
    ProgressEvent: kind("ProgressEvent", { lengthComputable: false, loaded: 0, total: 0 }),
    ErrorEvent: kind("ErrorEvent", { message: "", error: null }),
    PromiseRejectionEvent: kind("PromiseRejectionEvent", { reason: undefined, promise: null }),
    StorageEvent: kind("StorageEvent", { key: null, oldValue: null, newValue: null, url: "", storageArea: null }),
    InputEvent: kind("InputEvent", { data: null, inputType: "" }),
    KeyboardEvent: kind("KeyboardEvent", { key: "", code: "", ctrlKey: false, shiftKey: false, altKey: false, metaKey: false }),
    MouseEvent: kind("MouseEvent", { button: 0, clientX: 0, clientY: 0 }),
    SubmitEvent: kind("SubmitEvent", { submitter: null }),
  };
  Object.assign(shim, classes);
  shim.publish = (all) => {
    Object.keys(all).forEach((name) => {
      Object.defineProperty(window, name, { value: all[name], writable: true, configurable: true });
    });
  };
  shim.publish(classes);

  // The window itself is an EventTarget, though the VM's global object cannot
  // extend the class.
  window[inner] = {};
  for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) {
    window[name] = EventTarget.prototype[name].bind(window);
  }
  shim.handlers(window, "load", "error", "beforeunload", "pagehide", "pageshow", "unload", "online", "offline", "storage",
    "unhandledrejection", "message", "focus", "blur");
});
