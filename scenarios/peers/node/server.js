// A chat on the official Node server, for Redial to put to the test.
//
// It behaves as the seventh step of the Socket.IO tutorial does: connection state
// recovery, every message in SQLite, and a replay for who was not recovered. Its
// known weaknesses are kept on purpose, for they are what the scenarios find:
// a message is stored and then sent without a lock around the two, and nothing
// keeps a replay apart from what is said meanwhile.
//
// Start it with `npm ci && PORT=3000 DATA_DIR=. node server.js`. What else it
// reads from the environment is in harness/contract.
"use strict";

const http = require("node:http");
const path = require("node:path");
const sqlite3 = require("sqlite3");
const { Server } = require("socket.io");
const { fail, serverOptions } = require("./options");

const chatEvent = "chat message";

const file = path.join(process.env.DATA_DIR || ".", "chat.db");
const database = new sqlite3.Database(file, (error) => {
  if (error) fail(`${file} cannot be opened: ${error.message}`);
});
database.exec(
  "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT)",
  (error) => (error ? fail(`${file} cannot be used: ${error.message}`) : listen()),
);

const web = http.createServer((request, response) => {
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end("A chat server without a page. Its client is at /socket.io/socket.io.js\n");
});
const io = new Server(web, serverOptions());

io.on("connection", (socket) => {
  socket.on(chatEvent, (content, ...rest) => {
    const acknowledge = rest.at(-1);
    database.run("INSERT INTO messages (content) VALUES (?)", [content], function (error) {
      if (error) {
        console.error(`not stored: ${error.message}`);
        return; // and no acknowledgement: the client may think what it likes
      }
      io.emit(chatEvent, content, this.lastID);
      if (typeof acknowledge === "function") acknowledge();
    });
  });

  if (!socket.recovered) replay(socket);
});

function replay(socket) {
  database.each(
    "SELECT id, content FROM messages WHERE id > ?",
    [socket.handshake.auth.serverOffset || 0],
    (error, row) => {
      if (error) console.error(`not replayed: ${error.message}`);
      else socket.emit(chatEvent, row.content, row.id);
    },
  );
}

function listen() {
  web.on("error", (error) => fail(error.message));
  web.listen(Number(process.env.PORT || 3000), "127.0.0.1", () => {
    console.log(`listening on http://127.0.0.1:${web.address().port}`);
  });
}

// Say goodbye to every client, then let the database finish what it was given.
process.once("SIGTERM", () => {
  io.close(() => database.close(() => process.exit(0)));
  web.closeIdleConnections(); // they would keep it open
});
