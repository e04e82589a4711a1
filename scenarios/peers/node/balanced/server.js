// Shape: two nodes behind a proxy that balances the load. A session's id begins with the number
// of its node, and the proxy hands a connection to the node that the URL names. The nodes
// broadcast to each other's clients with the cluster adapter.
//
// Promise: basic. Nothing is stored, and the cluster adapter cannot recover sessions.
// With the argument --no-sticky the proxy hands connections to the nodes in turn, which is wrong
// on purpose: the second request of a client that polls comes to the node that does not know
// it, and is refused with "Session ID unknown".
"use strict";

const cluster = require("node:cluster");
const { randomUUID } = require("node:crypto");
const net = require("node:net");
const path = require("node:path");
const { createAdapter, setupPrimary } = require("@socket.io/cluster-adapter");
const { Server } = require("socket.io");
const { acknowledgement, pages, port, start, withoutRecovery } = require("../application");
const { fail } = require("../options");

const nodes = 2;
const sticky = !process.argv.includes("--no-sticky");

if (cluster.isPrimary) balance();
else node(Number(process.env.NODE));

function balance() {
  const ports = []; // of the nodes
  let turn = 0;
  const proxy = net.createServer((client) => {
    client.on("error", () => client.destroy());
    client.once("data", (first) => {
      const named = sticky && /[?&]sid=(\d)-/.exec(first.toString("latin1"));
      const server = net.connect(ports[named ? Number(named[1]) : turn++ % nodes], "127.0.0.1");
      server.write(first);
      server.on("error", () => client.destroy());
      client.on("close", () => server.destroy());
      client.pipe(server).pipe(client);
    });
  });
  proxy.on("error", (error) => fail(error.message));

  setupPrimary();
  const fork = (number) => {
    const worker = cluster.fork({ NODE: number });
    worker.on("message", (message) => {
      if (!message.listensOn) return; // the adapter's
      ports[number] = message.listensOn;
      if (!proxy.listening && Object.keys(ports).length === nodes) proxy.listen(port, "127.0.0.1");
    });
    worker.on("exit", () => {
      if (!stopping) fork(number);
      else if (Object.keys(cluster.workers).length === 0) process.exit(0);
    });
  };
  let stopping = false;
  for (let number = 0; number < nodes; number++) fork(number);
  process.once("SIGTERM", () => {
    stopping = true;
    proxy.close();
    for (const worker of Object.values(cluster.workers)) worker.process.kill("SIGTERM");
  });
}

function node(number) {
  const web = pages({ "/": path.join(__dirname, "index.html") });
  const io = new Server(web, { ...withoutRecovery(), adapter: createAdapter() });
  io.engine.generateId = () => `${number}-${randomUUID()}`;
  io.on("connection", (socket) => {
    socket.emit("node", number);
    socket.on("chat message", (text, ...rest) => {
      const acknowledge = acknowledgement(rest);
      if (typeof text !== "string") return acknowledge({ error: "a message is a text" });
      io.emit("chat message", text);
      acknowledge({});
    });
  });
  web.on("listening", () => process.send({ listensOn: web.address().port }));
  start(web, io, undefined, { port: 0, exclusive: true }); // else the nodes share one port
}
