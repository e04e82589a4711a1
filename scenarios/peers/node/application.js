// What the applications in the folders below do the same way: they serve their page, listen
// on PORT and end on SIGTERM. What they are about is in their own server.js.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { fail, serverOptions } = require("./options");

// pages is the HTTP server with the application's files: a URL and a file's path or a
// content for each. The Socket.IO server adds the official browser client.
function pages(files) {
  const web = http.createServer((request, response) => {
    const file = files[new URL(request.url, "http://localhost").pathname];
    if (!file) return response.writeHead(404).end();
    response.setHeader("Content-Type", `text/${typeof file === "string" ? "html" : "javascript"}; charset=utf-8`);
    response.end(typeof file === "string" ? fs.readFileSync(file) : file);
  });
  // A browser repeats a request that fails on a kept-alive connection without telling the
  // page, and a repeated poll has lost the messages of the first answer.
  web.maxRequestsPerSocket = 1;
  return web;
}

// withoutRecovery are the options of a server whose log has all that a recovered session has.
function withoutRecovery() {
  const { connectionStateRecovery, ...options } = serverOptions();
  return options;
}

// port is the one to listen on.
const port = Number(process.env.PORT || 3000);

// start listens, and on SIGTERM closes what close closes, too.
function start(web, io, close = (done) => done(), at = { port }) {
  web.on("error", (error) => fail(error.message));
  web.listen({ ...at, host: "127.0.0.1" }, () => console.log(`listening on http://127.0.0.1:${web.address().port}`));
  process.once("SIGTERM", () => {
    io.close(() => close(() => process.exit(0)));
    web.closeIdleConnections();
  });
}

// acknowledgement is an event's last argument, if the client waits for an acknowledgement.
function acknowledgement(args) {
  return typeof args.at(-1) === "function" ? args.pop() : () => {};
}

// inDataDir is the path of a file that outlives the process.
function inDataDir(name) {
  return path.join(process.env.DATA_DIR || ".", name);
}

module.exports = { acknowledgement, inDataDir, pages, port, start, withoutRecovery };
