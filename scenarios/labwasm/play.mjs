// Plays in Node.js what comes on standard input, a request on each line, and answers with a
// response on each line. The first argument is a folder that Build has filled. With a
// second one, a whole number, each request has a lab of its own whose randomness comes of
// that seed: Go draws all of it from crypto.getRandomValues, also what decides between
// goroutines, so a request comes to the same history each time.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, seed] = process.argv.slice(1);
const at = (name) => new URL(name, pathToFileURL(folder + "/"));

await import(at("wasm_exec.js"));
const { makeLab } = await import(at("wasm.js"));
const call = makeLab(async (name) => new Response(await readFile(at(name))));

// What the lab prints is no answer.
console.log = console.error;

// splitmix64, the low byte of each number.
function seeded(seed) {
  let state = seed;
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

for await (const line of createInterface({ input: process.stdin })) {
  if (seed !== undefined) {
    Object.defineProperty(globalThis, "crypto", { value: { getRandomValues: seeded(BigInt(seed)) }, configurable: true });
    call.anew();
  }
  let response;
  try {
    response = await call("play", JSON.parse(line));
  } catch (reason) {
    response = { error: String(reason?.message ?? reason) };
  }
  process.stdout.write(JSON.stringify(response) + "\n");
}
process.exit(); // a lab waits for calls for ever
