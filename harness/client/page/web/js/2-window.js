// The window: timers, location, navigator, console, crypto, performance and the
// rest of what is neither a document nor a connection.
(function (window, shim, host) {
  "use strict";

  const { inner, publish } = shim;
  for (const name of ["window", "self", "top", "parent", "frames"]) window[name] = window;

  // A browser converts the delay to a signed 32-bit number of milliseconds.
  const timer = (repeat) => function (handler, delay, ...args) {
    if (typeof handler !== "function") throw new TypeError("a timer needs a function; text is not run by the harness's page");
    return host.setTimer(() => shim.call(handler, args), Math.max(0, delay | 0), repeat);
  };
  publish({
    setTimeout: timer(false),
    setInterval: timer(true),
    clearTimeout: (id) => host.clearTimer(Number(id) || 0),
    clearInterval: (id) => host.clearTimer(Number(id) || 0),
    queueMicrotask(callback) {
      if (typeof callback !== "function") throw new TypeError("queueMicrotask needs a function");
      Promise.resolve().then(() => shim.call(callback, []));
    },
    // Nothing is painted; a frame is what a 60 Hz screen would make of it.
    requestAnimationFrame: (callback) => host.setTimer(() => shim.call(callback, [host.now()]), 16, false),
    cancelAnimationFrame: (id) => host.clearTimer(Number(id) || 0),
    scrollTo() {},
    scrollBy() {},
    scroll() {},
  });

  const location = {};
  for (const part of ["href", "origin", "protocol", "host", "hostname", "port", "pathname", "search", "hash"]) {
    Object.defineProperty(location, part, {
      get: () => host.location[part],
      set() { throw new TypeError(`setting location.${part} is not implemented by the harness's page`); },
      enumerable: true,
    });
  }
  location.toString = () => host.location.href;
  shim.missing(location, "location", "reload", "assign", "replace");

  const line = (args) => args.map((a) => (typeof a === "object" && a !== null && !(a instanceof Error) ? safeJSON(a) : a instanceof Error ? shim.describe(a) : String(a))).join(" ");
  function safeJSON(value) {
    try {
      return JSON.stringify(value);
    } catch (error) {
      return String(value);
    }
  }
  const console = { error: (...args) => host.report("console.error: " + line(args)) };
  for (const name of ["log", "info", "debug", "warn", "trace", "table", "group", "groupCollapsed", "groupEnd", "time", "timeEnd", "count", "dir"]) {
    console[name] = () => {};
  }
  console.assert = (held, ...args) => { if (!held) console.error("assertion failed:", ...args); };

  // A lock is held until what the callback returns has come to its end.
  const locks = {
    request(name, options, callback) {
      if (typeof options === "function") [options, callback] = [{}, options];
      if (typeof callback !== "function") return Promise.reject(new TypeError("a lock needs a function to call with it"));
      const unknown = Object.keys(options).find((option) => option !== "mode" || options.mode !== "exclusive");
      if (unknown) return Promise.reject(new TypeError(`the option ${unknown} of navigator.locks.request is not implemented by the harness's page`));
      return new Promise((resolve, reject) => {
        const release = host.lock(String(name), () => {
          const held = new Promise((done) => done(callback({ name: String(name), mode: "exclusive" })));
          held.then((value) => { release(); resolve(value); }, (error) => { release(); reject(error); });
        });
      });
    },
  };
  shim.missing(locks, "navigator.locks", "query");

  const crypto = {
    getRandomValues(view) {
      if (!ArrayBuffer.isView(view)) throw new TypeError("getRandomValues needs a typed array");
      if (view.byteLength > 65536) throw new shim.DOMException("more than 65536 bytes", "QuotaExceededError");
      new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(new Uint8Array(host.random(view.byteLength)));
      return view;
    },
    randomUUID() {
      const bytes = new Uint8Array(host.random(16));
      bytes[6] = (bytes[6] & 0x0f) | 0x40;
      bytes[8] = (bytes[8] & 0x3f) | 0x80;
      const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    },
  };
  shim.missing(crypto, "crypto", "subtle");

  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return new Uint8Array(host.encode(String(text))); }
  }
  class TextDecoder {
    constructor(encoding = "utf-8") {
      if (!/^utf-?8$/i.test(encoding)) throw new RangeError("the harness's page decodes UTF-8 only");
    }
    get encoding() { return "utf-8"; }
    decode(data) { return data === undefined ? "" : host.decode(shim.bytes(data)); }
  }

  // bytes returns a copy of what data holds, as an ArrayBuffer, or undefined for
  // what is not binary.
  shim.bytes = (data) => {
    if (data instanceof ArrayBuffer) return data.slice(0);
    if (ArrayBuffer.isView(data)) return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    if (data instanceof Blob) return data[inner].buffer.slice(0);
    return undefined;
  };

  class Blob {
    constructor(parts = [], { type = "" } = {}) {
      const all = Array.from(parts, (part) => new Uint8Array(shim.bytes(part) || host.encode(String(part))));
      const joined = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of all) {
        joined.set(part, at);
        at += part.length;
      }
      this[inner] = { buffer: joined.buffer, type: String(type).toLowerCase() };
    }
    get size() { return this[inner].buffer.byteLength; }
    get type() { return this[inner].type; }
    arrayBuffer() { return Promise.resolve(this[inner].buffer.slice(0)); }
    text() { return Promise.resolve(host.decode(this[inner].buffer)); }
    slice(start, end, type = "") { return new Blob([this[inner].buffer.slice(start, end)], { type }); }
    get [Symbol.toStringTag]() { return "Blob"; }
  }

  class FileReader extends shim.EventTarget {
    constructor() {
      super();
      Object.assign(this[inner], { readyState: 0, result: null });
    }
    get readyState() { return this[inner].readyState; }
    get result() { return this[inner].result; }
    get error() { return null; }
    readAsArrayBuffer(blob) { read(this, blob, (buffer) => buffer.slice(0)); }
    readAsText(blob) { read(this, blob, (buffer) => host.decode(buffer)); }
    readAsDataURL(blob) {
      read(this, blob, (buffer) => `data:${blob.type || "application/octet-stream"};base64,${host.base64(buffer)}`);
    }
  }
  function read(reader, blob, convert) {
    if (!(blob instanceof Blob)) throw new TypeError("a FileReader reads a Blob");
    if (reader.readyState === 1) throw new shim.DOMException("the reader is busy", "InvalidStateError");
    reader[inner].readyState = 1;
    host.post(() => {
      Object.assign(reader[inner], { readyState: 2, result: convert(blob[inner].buffer) });
      return shim.inOrder(
        shim.fire(reader, new shim.ProgressEvent("load", { loaded: blob.size, total: blob.size })),
        shim.fire(reader, new shim.ProgressEvent("loadend", { loaded: blob.size, total: blob.size })));
    });
  }
  shim.handlers(FileReader.prototype, "load", "loadend", "error");
  shim.missing(FileReader.prototype, "FileReader", "abort");

  shim.storageChanged = (key, oldValue, newValue) =>
    shim.fire(window, new shim.StorageEvent("storage", { key, oldValue, newValue, url: host.location.href, storageArea: window.localStorage }));

  publish({
    location,
    console,
    crypto,
    navigator: { userAgent: host.userAgent, product: "Gecko", onLine: true, language: "en", languages: ["en"], cookieEnabled: true, locks },
    performance: { now: () => host.now(), timeOrigin: host.timeOrigin },
    btoa: (text) => host.btoa(String(text)),
    atob: (text) => host.atob(String(text)),
    TextEncoder,
    TextDecoder,
    Blob,
    FileReader,
    isSecureContext: true,
    innerWidth: 1024,
    innerHeight: 768,
    scrollX: 0,
    scrollY: 0,
  });
});
