// navigator.locks. A lock is held until the promise that the callback returns is settled.
(function (window, shim, host) {
  "use strict";

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
  return { locks };
});
