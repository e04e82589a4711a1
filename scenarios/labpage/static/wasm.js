// The lab as WebAssembly, for a worker or Node.js. makeLab loads the build of `make lab-wasm`
// and returns call(name, argument), which resolves to the result of one of the functions that
// scenarios/cmd/labwasm registers. After call.anew(), the next call starts a new lab.
//
// open(name) resolves to a Response with the file of that name. The class Go of the build's
// wasm_exec.js must exist before the first call.

const program = "lab.wasm.gz";
const client = "socket.io.js";

// A WebAssembly memory never shrinks. If it is larger than this after a call, the next call
// gets a new one.
const mostMemory = 1 << 30;

export function makeLab(open) {
  let parts; // a Promise of the compiled program and the client library
  let running; // a Promise of the lab that runs

  async function load() {
    const [module, library] = await Promise.all([
      open(program).then((response) => WebAssembly.compileStreaming(unpacked(response))),
      open(client).then((response) => response.text()),
    ]);
    return { module, library };
  }

  async function start() {
    parts ??= load();
    const { module, library } = await parts.catch((reason) => {
      parts = undefined; // The next call loads them again.
      throw reason;
    });
    const go = new Go();
    const instance = await WebAssembly.instantiate(module, go.importObject);
    const ended = go.run(instance).then(() => {
      throw new Error("the lab has ended by itself; what it printed is in the console");
    });
    ended.catch(() => (running = undefined));
    const functions = globalThis.redialLab;
    await functions.provide(JSON.stringify(library));
    return { functions, ended, memory: instance.exports.mem };
  }

  async function call(name, argument) {
    running ??= start();
    const lab = await running.catch((reason) => {
      running = undefined;
      throw reason;
    });
    const given = JSON.stringify(argument);
    const text = await Promise.race([lab.functions[name](given), lab.ended]);
    if (lab.memory.buffer.byteLength > mostMemory) call.anew();
    return JSON.parse(text);
  }
  call.anew = () => (running = undefined);
  return call;
}

// unpacked returns the program of a response. Some servers send a .gz file as it is; others
// declare its encoding, and then fetch has unpacked it.
async function unpacked(response) {
  if (!response.ok) throw new Error(`${program}: ${response.status} ${response.statusText}`);
  const [ahead, whole] = response.body.tee();
  const reader = ahead.getReader();
  const { value } = await reader.read();
  void reader.cancel();
  const packed = value[0] === 0x1f && value[1] === 0x8b;
  const stream = packed ? whole.pipeThrough(new DecompressionStream("gzip")) : whole;
  return new Response(stream, { headers: { "Content-Type": "application/wasm" } });
}
