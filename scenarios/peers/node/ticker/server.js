// Shape: a server that emits by itself, a tick {n, at} every EVERY milliseconds (default 50);
// clients only receive.
//
// Promise: recovery, by connection state recovery. With the argument --replay it is
// server-delivery: ticks are kept in memory and in a file, and a client that was not
// recovered is sent every tick after the offset that it names.
// Not right: without --replay a restart loses what was emitted meanwhile, and begins at 1. With
// it, the library's recovery is on nevertheless: see zombie in replay/redial.yaml.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { Server } = require("socket.io");
const { inDataDir, pages, start } = require("../application");
const { serverOptions } = require("../options");

const replays = process.argv.includes("--replay");
const file = inDataDir("ticks.jsonl");
const ticks = replays && fs.existsSync(file) ? read(fs.readFileSync(file, "utf8")) : [];
let n = ticks.length;

// read leaves out the line that a crash cut short: it was written before it was emitted.
function read(text) {
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole !== text) fs.truncateSync(file, Buffer.byteLength(whole));
  return whole.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

const web = pages({ "/": path.join(__dirname, "index.html") });
const io = new Server(web, serverOptions());

io.on("connection", (socket) => {
  if (!replays || socket.recovered) return;
  // The field is not called offset: that would take the place of connection state recovery's own.
  // Nothing is emitted in between: the timer's callback cannot run before this one is done.
  for (const tick of ticks.slice(Number(socket.handshake.auth.since) || 0)) socket.emit("tick", tick);
});

const timer = setInterval(() => {
  const tick = { n: ++n, at: Date.now() };
  if (replays) {
    ticks.push(tick);
    fs.appendFileSync(file, JSON.stringify(tick) + "\n");
  }
  io.emit("tick", tick);
}, Number(process.env.EVERY || 50));

start(web, io, (done) => {
  clearInterval(timer);
  done();
});
