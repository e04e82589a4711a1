// DOMException, which extends the language's own Error.
(function (window, shim, host) {
  "use strict";

  class DOMException extends Error {
    constructor(message = "", name = "Error") {
      super(message);
      Object.defineProperty(this, "name", { value: name, configurable: true });
    }
  }
  return { DOMException };
});
