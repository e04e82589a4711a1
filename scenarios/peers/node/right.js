// A chat on the official Node.js server that keeps the promise of its level, which is
// its argument: server-delivery or client-delivery. Beside server.js, which is the
// tutorial's step 7 as published, it shows what has to change.
//
// Read store, publish and catchUp, in this order. All three run one at a time (inOrder):
// messages are emitted in the order in which they are stored, and a page goes over from
// the replay to the live messages at one point of that order.
//
// Start it with `PORT=3000 DATA_DIR=. node right.js client-delivery`. It has no connection
// state recovery: the database has everything that a recovered session would have.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { promisify } = require("node:util");
const sqlite3 = require("sqlite3");
const { Server } = require("socket.io");
const { fail, serverOptions } = require("./options");

const levels = { "server-delivery": "step7", "client-delivery": "step8" };
const level = process.argv[2];
if (!levels[level]) fail(`the argument is a level, one of ${Object.keys(levels).join(", ")}`);
const keyed = level === "client-delivery";

const chatEvent = "chat message";
const room = "chat"; // of the clients that have caught up
const replayPage = 500; // messages

const file = path.join(process.env.DATA_DIR || ".", "chat.db");
const database = new sqlite3.Database(file, (error) => {
  if (error) fail(`${file} cannot be opened: ${error.message}`);
});
const all = promisify(database.all.bind(database));

// The pages are the kit's, so that the server can be tried in a browser.
const steps = path.join(__dirname, "..", "..", "..", "steps");
const files = {
  "/": ["text/html", path.join(steps, levels[level], "index.html")],
  "/style.css": ["text/css", path.join(steps, "internal", "serve", "style.css")],
};
const web = http.createServer((request, response) => {
  const [type, name] = files[request.url] ?? [];
  fs.readFile(name ?? "", (error, content) => {
    if (error) return response.writeHead(404).end();
    response.setHeader("Content-Type", `${type}; charset=utf-8`).end(content);
  });
});
// A browser repeats a request that fails on a connection that was in use before, without
// telling the page. A repeated poll has lost the messages of the first answer, so each
// request gets a connection of its own: then the page sees the failure, and connects again.
web.maxRequestsPerSocket = 1;
const { connectionStateRecovery, ...options } = serverOptions();
const io = new Server(web, options);

// inOrder runs one piece of work after another: it is a lock, and first come, first served.
let last = Promise.resolve();
function inOrder(work) {
  const done = last.then(work);
  last = done.catch(() => {});
  return done;
}

// store stores a message, unless one with its key is there, and emits what is new.
async function store(text, key) {
  try {
    await all("INSERT INTO messages (content, client_offset) VALUES (?, ?) ON CONFLICT (client_offset) DO NOTHING", [text, key]);
  } finally {
    // Also after an error, which does not prove that nothing was stored.
    await publish();
  }
}

// publish emits what the log has and no client was sent yet.
let published = 0;
async function publish() {
  for (const row of await all("SELECT id, content FROM messages WHERE id > ? ORDER BY id", [published])) {
    io.to(room).emit(chatEvent, row.content, row.id);
    published = row.id;
  }
}

io.on("connection", (socket) => {
  socket.on(chatEvent, async (text, ...rest) => {
    const acknowledge = typeof rest.at(-1) === "function" ? rest.pop() : () => {};
    const key = keyed ? rest[0] : null; // NULLs are never in conflict
    if (typeof text !== "string" || (keyed && typeof key !== "string")) {
      return acknowledge({ error: keyed ? "a message is a text and a key" : "a message is a text" });
    }
    if (!text.isWellFormed()) {
      return acknowledge({ error: "the text has half a surrogate pair, which SQLite cannot store" });
    }
    try {
      await inOrder(() => store(text, key));
      acknowledge({});
    } catch (error) {
      console.error(`not stored: ${error.message}`);
      // With a key the page sends the message again until it is acknowledged. An error
      // would be an acknowledgement, too.
      if (!keyed) acknowledge({ error: "the message could not be stored" });
    }
  });
  catchUp(socket).catch((error) => {
    console.error(`not replayed: ${error.message}`);
    socket.conn.close(); // the client connects again, and asks again
  });
});

// catchUp sends a page what is stored after its offset, and lets it into the room. Only
// the end of the replay and the joining hold up the other clients.
async function catchUp(socket) {
  let offset = await offsetOf(socket);
  const replay = async () => {
    const rows = await all("SELECT id, content FROM messages WHERE id > ? ORDER BY id LIMIT ?", [offset, replayPage]);
    for (const row of rows) socket.emit(chatEvent, row.content, (offset = row.id));
    return rows.length === replayPage && socket.connected;
  };
  while (await replay()) await drained(socket);
  await inOrder(async () => {
    await publish(); // else these would be in the replay, and come live as well
    while (await replay());
    if (socket.connected) socket.join(room);
  });
}

// offsetOf is the id of the last message that the page has shown. A page that names
// anything else than an id of this log has to begin anew.
async function offsetOf(socket) {
  const offset = socket.handshake.auth.serverOffset ?? 0;
  const [{ newest }] = await all("SELECT COALESCE(MAX(id), 0) AS newest FROM messages");
  if (Number.isInteger(offset) && 0 <= offset && offset <= newest) return offset;
  socket.emit("reset");
  return 0;
}

// drained waits until the replay so far is on its way, so that a page on a slow line does
// not have the whole log in the server's memory.
function drained(socket) {
  return new Promise((resolve) => {
    if (!socket.connected || socket.conn.writeBuffer.length === 0) return resolve();
    socket.conn.once("drain", resolve).once("close", resolve);
  });
}

async function start() {
  await all("PRAGMA journal_mode = WAL"); // readers do not wait for a writer
  await all(`CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT NOT NULL, client_offset TEXT UNIQUE)`);
  // Every client of this process asks for what is stored already when it connects.
  [{ published }] = await all("SELECT COALESCE(MAX(id), 0) AS published FROM messages");
  web.on("error", (error) => fail(error.message));
  web.listen(Number(process.env.PORT || 3000), "127.0.0.1", () => {
    console.log(`listening on http://127.0.0.1:${web.address().port}`);
  });
}
start().catch((error) => fail(`${file} cannot be used: ${error.message}`));

// Tell every client, then let the database finish what it was given.
process.once("SIGTERM", () => {
  io.close(() => database.close(() => process.exit(0)));
  web.closeIdleConnections(); // they would keep it open
});
