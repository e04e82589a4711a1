// TextEncoder and TextDecoder.
(function (window, shim, host) {
  "use strict";

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

  return { TextEncoder, TextDecoder };
});
