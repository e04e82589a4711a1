// XMLHttpRequest, over the requests that the host makes.
(function (window, shim, host) {
  "use strict";

  const { EventTarget, Event, DOMException } = shim;
  const inner = Symbol("inner");

  // A page may not set these headers; a browser ignores them without an error.
  const forbidden = /^(accept-charset|accept-encoding|access-control-.*|connection|content-length|cookie2?|date|dnt|expect|host|keep-alive|origin|referer|te|trailer|transfer-encoding|upgrade|via|proxy-.*|sec-.*)$/;

  class XMLHttpRequest extends EventTarget {
    constructor() {
      super();
      this[inner] = { readyState: 0, responseType: "", timeout: 0, withCredentials: false, request: null };
      reset(this[inner]);
    }
    get readyState() { return this[inner].readyState; }
    get status() { return this[inner].status; }
    get statusText() { return this[inner].statusText; }
    get responseURL() { return this[inner].responseURL; }
    get responseType() { return this[inner].responseType; }
    set responseType(type) {
      if (this.readyState >= 3) throw new DOMException("the response is under way", "InvalidStateError");
      if (["", "text", "arraybuffer", "blob", "json"].includes(type)) this[inner].responseType = type;
      else if (type === "document") throw new TypeError("responseType 'document' is not implemented by the harness's page");
    }
    get response() { return convert(this[inner]); }
    get responseText() {
      if (this.responseType !== "" && this.responseType !== "text") throw new DOMException("the responseType is not text", "InvalidStateError");
      return convert(this[inner]);
    }
    get timeout() { return this[inner].timeout; }
    set timeout(ms) { this[inner].timeout = Math.max(0, ms | 0); }
    get withCredentials() { return this[inner].withCredentials; }
    set withCredentials(value) { this[inner].withCredentials = Boolean(value); }

    open(method, url, async = true) {
      if (!async) throw new TypeError("a synchronous request is not implemented by the harness's page");
      const address = host.resolve(String(url));
      if (address === "") throw new DOMException(`'${url}' is no URL`, "SyntaxError");
      const state = this[inner];
      stop(state);
      reset(state);
      Object.assign(state, { method: String(method).toUpperCase(), url: address, headers: new Map(), sent: false });
      if (state.readyState === 1) return;
      state.readyState = 1;
      this.dispatchEvent(new Event("readystatechange"));
    }
    setRequestHeader(name, value) {
      const state = this[inner];
      if (state.readyState !== 1 || state.sent) throw new DOMException("the request is not open", "InvalidStateError");
      const key = String(name).toLowerCase();
      if (forbidden.test(key)) return;
      state.headers.set(key, state.headers.has(key) ? state.headers.get(key) + ", " + value : String(value));
    }
    send(body = null) {
      const state = this[inner];
      if (state.readyState !== 1 || state.sent) throw new DOMException("the request is not open", "InvalidStateError");
      if (state.method === "GET" || state.method === "HEAD") body = null;
      const binary = body === null ? undefined : shim.bytes(body);
      if (body !== null && binary === undefined && !state.headers.has("content-type")) {
        state.headers.set("content-type", "text/plain;charset=UTF-8");
      }
      state.sent = true;
      this.dispatchEvent(new shim.ProgressEvent("loadstart"));
      if (state.readyState !== 1 || !state.sent || state.request) return;
      const mine = (state.request = {});
      mine.native = host.request(state.method, state.url, Object.fromEntries(state.headers),
        body === null ? null : binary === undefined ? String(body) : binary,
        (what, ...args) => (state.request === mine ? progress[what](this, state, ...args) : undefined));
      if (state.timeout > 0) {
        mine.timer = host.setTimer(() => {
          if (state.request === mine) fail(this, state, "timeout");
        }, state.timeout, false);
      }
    }
    abort() {
      const state = this[inner];
      const underWay = (state.readyState === 1 && state.sent) || state.readyState === 2 || state.readyState === 3;
      if (underWay) fail(this, state, "abort");
      stop(state);
      reset(state);
      if (state.readyState === 4) state.readyState = 0;
    }
    getResponseHeader(name) {
      const value = this[inner].answer.get(String(name).toLowerCase());
      return value === undefined ? null : value;
    }
    getAllResponseHeaders() {
      return [...this[inner].answer.keys()].sort().map((name) => `${name}: ${this[inner].answer.get(name)}\r\n`).join("");
    }
  }
  const progressStates = { UNSENT: 0, OPENED: 1, HEADERS_RECEIVED: 2, LOADING: 3, DONE: 4 };
  for (const name of Object.keys(progressStates)) {
    for (const holder of [XMLHttpRequest, XMLHttpRequest.prototype]) Object.defineProperty(holder, name, { value: progressStates[name], enumerable: true });
  }
  shim.handlers(XMLHttpRequest.prototype, "readystatechange", "loadstart", "load", "loadend", "error", "abort", "timeout", "progress");
  shim.missing(XMLHttpRequest.prototype, "XMLHttpRequest", "upload", "responseXML", "overrideMimeType");

  function reset(state) {
    Object.assign(state, { status: 0, statusText: "", responseURL: "", answer: new Map(), body: null, converted: undefined });
  }
  function stop(state) {
    if (!state.request) return;
    state.request.native.abort();
    if (state.request.timer) host.clearTimer(state.request.timer);
    state.request = null;
  }
  function convert(state) {
    const isText = state.responseType === "" || state.responseType === "text";
    if (state.body === null || (state.readyState < 4 && !isText)) return isText ? "" : null;
    if (state.converted === undefined) state.converted = converters[state.responseType](state.body);
    return state.converted;
  }
  const converters = {
    "": (body) => host.decode(body),
    text: (body) => host.decode(body),
    arraybuffer: (body) => body,
    blob: (body) => new window.Blob([body]),
    json(body) {
      try {
        return JSON.parse(host.decode(body));
      } catch (error) {
        return null;
      }
    },
  };
  // fail ends a request: it fires readystatechange, the event of the reason, and loadend in one task.
  function fail(xhr, state, reason) {
    stop(state);
    reset(state);
    state.sent = false;
    state.readyState = 4;
    xhr.dispatchEvent(new Event("readystatechange"));
    xhr.dispatchEvent(new shim.ProgressEvent(reason));
    xhr.dispatchEvent(new shim.ProgressEvent("loadend"));
  }
  function advance(xhr, state, readyState) {
    state.readyState = readyState;
    xhr.dispatchEvent(new Event("readystatechange"));
  }
  const progress = {
    headers(xhr, state, status, statusText, url, headers) {
      for (const name of Object.keys(headers)) state.answer.set(name.toLowerCase(), headers[name]);
      Object.assign(state, { status, statusText, responseURL: url });
      advance(xhr, state, 2);
    },
    done(xhr, state, body) {
      state.body = body;
      const mine = state.request;
      if (body.byteLength > 0) advance(xhr, state, 3);
      if (state.request !== mine) return;
      stop(state);
      const size = { loaded: body.byteLength, total: body.byteLength };
      advance(xhr, state, 4);
      if (state.readyState !== 4 || state.request !== null) return;
      xhr.dispatchEvent(new shim.ProgressEvent("load", size));
      if (state.readyState !== 4 || state.request !== null) return;
      xhr.dispatchEvent(new shim.ProgressEvent("loadend", size));
    },
    failed(xhr, state) { fail(xhr, state, "error"); },
  };

  return { XMLHttpRequest };
});
