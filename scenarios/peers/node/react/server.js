// Shape: a page in React, in StrictMode, which esbuild bundles with the Socket.IO client when
// the server starts; no bundle is on the disk.
//
// Promise: server-delivery; delivery.js keeps it. With /?mistake the page is wrong on purpose:
// see page.jsx.
"use strict";

const path = require("node:path");
const esbuild = require("esbuild");
const { Server } = require("socket.io");
const { pages, start, withoutRecovery } = require("../application");
const { deliver } = require("../delivery");
const { fail } = require("../options");

async function main() {
  const { outputFiles } = await esbuild.build({
    entryPoints: [path.join(__dirname, "page.jsx")],
    bundle: true,
    write: false,
    jsx: "automatic",
    // Only the development build of React runs every effect twice in StrictMode.
    define: { "process.env.NODE_ENV": '"development"' },
  });
  esbuild.stop(); // it has a process of its own

  const web = pages({ "/": path.join(__dirname, "index.html"), "/page.js": Buffer.from(outputFiles[0].contents) });
  const io = new Server(web, withoutRecovery());
  start(web, io, deliver(io));
}
main().catch((error) => fail(error.message));
