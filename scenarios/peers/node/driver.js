// Official clients for shapes_test.go. It reads a command a line (JSON) on the standard input
// and prints a line for everything that happens to a client. Clients connect when they are
// told to and never by themselves, so that the test knows when.
"use strict";

const readline = require("node:readline");
const { io } = require("socket.io-client");
const msgpack = require("socket.io-msgpack-parser");

const sockets = {};
const print = (client, event, ...args) => console.log(JSON.stringify({ client, event, args }));

const commands = {
  open({ client, url, path, parser, auth }) {
    const options = { path, auth, forceNew: true, reconnection: false, transports: ["websocket"] };
    if (parser === "msgpack") options.parser = msgpack;
    const socket = (sockets[client] = io(url, options));
    socket.on("connect", () => print(client, "connect", socket.recovered));
    socket.on("disconnect", (reason) => print(client, "disconnect", reason));
    socket.on("connect_error", (error) => print(client, "connect_error", error.message));
    socket.onAny((event, ...args) => print(client, `on ${event}`, ...args));
  },
  auth: ({ client, auth }) => void (sockets[client].auth = auth),
  emit({ client, args, id }) {
    if (id) sockets[client].emit(...args, (...answer) => print(client, `ack ${id}`, ...answer));
    else sockets[client].emit(...args);
  },
  cut: ({ client }) => sockets[client].io.engine.close(),
  connect: ({ client }) => sockets[client].connect(),
};

readline.createInterface(process.stdin)
  .on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on("close", () => process.exit(0));
