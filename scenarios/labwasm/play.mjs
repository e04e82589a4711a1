// Plays in Node.js: each line of standard input is a call, {request, schedule}, and is
// answered with a line, {result} or {error}. The one argument of the program is a folder that
// Build has filled.
//
// A call with a schedule, a whole number in a string, has a lab of its own whose randomness
// comes of it: Go draws all of its randomness from crypto.getRandomValues here, also what
// decides between goroutines, and there is one thread. So it comes to the same each time.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const folder = process.argv[1];
const at = (name) => new URL(name, pathToFileURL(folder + "/"));

await import(at("wasm_exec.js"));
const { makeLab } = await import(at("wasm.js"));
const call = makeLab(async (name) => new Response(await readFile(at(name))));

// What the lab prints is no answer.
console.log = console.error;

// seeded fills bytes with those of splitmix64, the lowest of each number.
function seeded(state) {
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) {
      state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
      let mixed = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
      mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
      bytes[i] = Number((mixed ^ (mixed >> 31n)) & 0xffn);
    }
    return bytes;
  };
}

const own = globalThis.crypto;

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { request, schedule } = JSON.parse(line);
    const random = schedule === undefined ? own : { getRandomValues: seeded(BigInt(schedule)) };
    Object.defineProperty(globalThis, "crypto", { value: random, configurable: true });
    if (schedule !== undefined) call.anew();
    answer = { result: await call("play", request) };
  } catch (reason) {
    answer = { error: String(reason?.message ?? reason) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(); // a lab waits for calls for ever
