// Blob and FileReader.
(function (window, shim, host) {
  "use strict";

  const inner = Symbol("inner");

  class Blob {
    constructor(parts = [], { type = "" } = {}) {
      const all = Array.from(parts, (part) => new Uint8Array(shim.bytes(part) || host.encode(String(part))));
      const joined = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of all) {
        joined.set(part, at);
        at += part.length;
      }
      this[shim.blob] = joined.buffer; // The host reads it there.
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
      this[inner] = { readyState: 0, result: null };
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
      const size = { loaded: blob.size, total: blob.size };
      return [new shim.ProgressEvent("load", size), new shim.ProgressEvent("loadend", size)];
    }, reader);
  }
  shim.handlers(FileReader.prototype, "load", "loadend", "error");
  shim.missing(FileReader.prototype, "FileReader", "abort");
  return { Blob, FileReader };
});
