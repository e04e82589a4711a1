// Shape: a chat with user names. A user logs in ("add user", answered with "login"), messages
// are objects, others see who is typing, and the sender is not sent its own message.
//
// Promise: recovery. The server stores nothing; connection state recovery bridges a break.
// Not right: a restart loses everything, and so does a break that the server notices late
// (half-open), because the session is saved only when it notices.
"use strict";

const path = require("node:path");
const { Server } = require("socket.io");
const { pages, start } = require("../application");
const { serverOptions } = require("../options");

const web = pages({ "/": path.join(__dirname, "index.html") });
const io = new Server(web, serverOptions());

io.on("connection", (socket) => {
  // A recovered socket has its data still, and logs in again: the page awaits the answer.
  socket.on("add user", (username) => {
    if (typeof username !== "string") return;
    const isNew = !socket.data.username;
    socket.data.username = username;
    socket.emit("login", { numUsers: io.of("/").sockets.size });
    if (isNew) socket.broadcast.emit("user joined", { username });
  });
  socket.on("new message", (message) => {
    const { username } = socket.data;
    if (username && typeof message === "string") socket.broadcast.emit("new message", { username, message });
  });
  for (const event of ["typing", "stop typing"]) {
    socket.on(event, () => socket.broadcast.volatile.emit(event, { username: socket.data.username }));
  }
  socket.on("disconnect", () => {
    if (socket.data.username) socket.broadcast.emit("user left", { username: socket.data.username });
  });
});

start(web, io);
