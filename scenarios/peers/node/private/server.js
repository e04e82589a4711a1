// Shape: private messages between users, in a namespace and under a path of their own. A user
// has a session: the client keeps its id and a token, which expires TOKEN_LIFETIME
// milliseconds after the last connect. A user's connections share a room, and the history is
// sent whole at every connect.
//
// Promise: server-delivery. Statements run one at a time (see openDatabase), so nothing falls
// between the history and the live messages.
// Not right: a client that was offline for longer than the token lives is refused, and has to
// log in again, and a name is enough for that: this is a target for tests, not for users.
"use strict";

const { randomUUID } = require("node:crypto");
const path = require("node:path");
const { Server } = require("socket.io");
const { acknowledgement, pages, start, withoutRecovery } = require("../application");
const { openDatabase } = require("../delivery");

const lifetime = Number(process.env.TOKEN_LIFETIME || 3_600_000);
const database = openDatabase(`
  CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, username TEXT NOT NULL, token TEXT NOT NULL, expires INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sender TEXT NOT NULL, recipient TEXT NOT NULL, content TEXT NOT NULL)`);

const web = pages({ "/": path.join(__dirname, "index.html") });
const users = new Server(web, { ...withoutRecovery(), path: "/private/" }).of("/users");

// Without a session id the client logs in; with one, it has to have the session's token. A
// connect makes the token last longer, and does not replace it: the client would be locked out
// if its connection ended before the new one arrived.
users.use((socket, next) => {
  const { sessionID, token, username } = socket.handshake.auth;
  const enter = (session) => {
    socket.data = session;
    database.run(
      "INSERT INTO sessions VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET expires = excluded.expires",
      [session.sessionID, session.username, session.token, Date.now() + lifetime],
      (error) => next(error && new Error("the session could not be stored")),
    );
  };
  if (!sessionID) {
    if (typeof username !== "string" || !username) return next(new Error("no username"));
    return enter({ sessionID: randomUUID(), username, token: randomUUID() });
  }
  database.get("SELECT * FROM sessions WHERE id = ?", [sessionID], (error, session) => {
    if (error) return next(new Error("the session could not be read"));
    if (!session || session.token !== token) return next(new Error("unknown session"));
    if (session.expires < Date.now()) return next(new Error("token expired"));
    enter({ sessionID, username: session.username, token });
  });
});

users.on("connection", (socket) => {
  const { username } = socket.data;
  socket.emit("session", socket.data);
  socket.on("private message", (message, ...rest) => {
    const acknowledge = acknowledgement(rest);
    const { content, to } = message ?? {};
    if (![content, to].every((text) => typeof text === "string" && text.isWellFormed())) {
      return acknowledge({ error: "a message has a content and a recipient" });
    }
    const values = [username, to, content];
    database.run("INSERT INTO messages (sender, recipient, content) VALUES (?, ?, ?)", values, function (error) {
      if (error) return acknowledge({ error: "the message could not be stored" });
      users.to(to).to(username).emit("private message", { id: this.lastID, sender: username, recipient: to, content });
      acknowledge({});
    });
  });
  database.all("SELECT * FROM messages WHERE ? IN (sender, recipient) ORDER BY id", [username], (error, messages) => {
    if (error) return socket.conn.close(); // the client connects again
    socket.emit("history", messages);
    if (socket.connected) socket.join(username);
  });
});

start(web, users.server, (done) => database.close(done));
