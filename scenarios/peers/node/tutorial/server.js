// Shape: steps 6 to 9 of the Socket.IO tutorial, as it publishes them; the argument is the step.
//
//   6  connection state recovery                      recovery
//   7  messages in SQLite, replay after an offset     server-delivery
//   8  retries, and a key for each message            client-delivery
//   9  two nodes, on PORT and the port after it       client-delivery
//
// It keeps these promises only in quiet rooms, and is wrong on purpose where the tutorial is:
// statements run in parallel, so messages are stored and emitted out of order; a replay runs
// beside the live messages; a repeated message is acknowledged though the first was perhaps
// not emitted; two pages that write offline use the same key; step 9 never recovers a session.
"use strict";

const cluster = require("node:cluster");
const path = require("node:path");
const { createAdapter, setupPrimary } = require("@socket.io/cluster-adapter");
const { Server } = require("socket.io");
const sqlite3 = require("sqlite3");
const { inDataDir, pages, port, start } = require("../application");
const { fail, serverOptions } = require("../options");

const nodes = 2;
const step = Number(process.argv[2]);
if (![6, 7, 8, 9].includes(step)) fail("the argument is a step of the tutorial, from 6 to 9");

if (step === 9 && cluster.isPrimary) primary();
else if (step === 6) serve();
else {
  const file = inDataDir("chat.db");
  const database = new sqlite3.Database(file);
  database.exec(
    "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, client_offset TEXT UNIQUE, content TEXT)",
    (error) => (error ? fail(`${file}: ${error.message}`) : serve(database)),
  );
}

function primary() {
  setupPrimary();
  for (let i = 0; i < nodes; i++) cluster.fork({ PORT: port + i });
  cluster.on("exit", () => {
    if (Object.keys(cluster.workers).length === 0) process.exit(0);
  });
  process.once("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill("SIGTERM");
  });
}

function serve(database) {
  const web = pages({
    "/": path.join(__dirname, "index.html"),
    "/step.js": Buffer.from(`const step = ${step};`),
  });
  const options = serverOptions();
  if (step === 9) options.adapter = createAdapter();
  const io = new Server(web, options);

  io.on("connection", (socket) => {
    socket.on("chat message", (text, key, acknowledge = () => {}) => {
      if (step === 6) return io.emit("chat message", text);
      const values = [text, step === 7 ? null : key];
      database.run("INSERT INTO messages (content, client_offset) VALUES (?, ?)", values, function (error) {
        if (!error) {
          io.emit("chat message", text, this.lastID);
          if (step >= 8) acknowledge();
        } else if (step >= 8 && error.errno === sqlite3.CONSTRAINT) {
          acknowledge(); // stored before
        } // else the client sends it again from step 8 on
      });
    });
    if (step === 6 || socket.recovered) return;
    const offset = socket.handshake.auth.serverOffset || 0;
    database.each("SELECT id, content FROM messages WHERE id > ?", [offset], (error, row) => {
      if (!error) socket.emit("chat message", row.content, row.id);
    });
  });

  start(web, io, database && ((done) => database.close(done)));
}
