// Plays in its own thread, so that the page never freezes:
//
//   const worker = new Worker("worker.js");
//   worker.onmessage = ({ data: { id, response } }) => …
//   worker.postMessage({ id: 1, request: { step: "7", plan, view } });
//
// A message may name another function of scenarios/cmd/labwasm than play. An error is one
// sentence in the response's error. The worker answers requests in their order.

const call = (async () => {
  const { makeLab } = await import("./wasm.js");
  await import("./wasm_exec.js");
  return makeLab((name) => fetch(new URL(name, self.location.href)));
})();

let turn = Promise.resolve();

self.onmessage = ({ data: { id, name = "play", request } }) => {
  turn = turn.then(async () => {
    try {
      self.postMessage({ id, response: await (await call)(name, request) });
    } catch (reason) {
      self.postMessage({ id, response: { error: String(reason?.message ?? reason) } });
    }
  });
};
