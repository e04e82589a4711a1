// The chat of the tutorial's sixth step on the official Node server, for Redial to put
// to the test: connection state recovery as it comes, and nothing else.
//
// Start it with `npm ci && PORT=3000 node recovery.js`. What else it reads from the
// environment is in harness/contract.
"use strict";

const http = require("node:http");
const { Server } = require("socket.io");
const { serverOptions } = require("./options");

const chatEvent = "chat message";

const web = http.createServer((request, response) => {
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end("A chat server without a page. Its client is at /socket.io/socket.io.js\n");
});
const io = new Server(web, serverOptions());

io.on("connection", (socket) => {
  socket.on(chatEvent, (content, acknowledge) => {
    io.emit(chatEvent, content);
    if (typeof acknowledge === "function") acknowledge({});
  });
});

web.listen(Number(process.env.PORT || 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${web.address().port}`);
});

process.once("SIGTERM", () => {
  io.close(() => process.exit(0));
  web.closeIdleConnections(); // they would keep it open
});
