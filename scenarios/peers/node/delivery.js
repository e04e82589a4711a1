// The tutorial's chat at server-delivery, for the applications that are about something else.
//
// After serialize(), sqlite3 runs one statement at a time and calls back before the next one
// begins. So messages are emitted in the order of their ids, and a client joins the room
// between two of them: no gap and no overlap between the replay and the live messages.
"use strict";

const sqlite3 = require("sqlite3");
const { acknowledgement, inDataDir } = require("./application");
const { fail } = require("./options");

// openDatabase opens chat.db and creates the tables.
function openDatabase(schema) {
  const file = inDataDir("chat.db");
  const database = new sqlite3.Database(file, (error) => error && fail(`${file}: ${error.message}`));
  database.serialize();
  database.exec(schema, (error) => error && fail(`${file}: ${error.message}`));
  return database;
}

// deliver makes io the chat, and returns what closes its database.
function deliver(io) {
  const database = openDatabase(
    "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT NOT NULL)",
  );
  io.on("connection", (socket) => {
    socket.on("chat message", (text, ...rest) => {
      const acknowledge = acknowledgement(rest);
      if (typeof text !== "string" || !text.isWellFormed()) return acknowledge({ error: "a message is a text" });
      database.run("INSERT INTO messages (content) VALUES (?)", [text], function (error) {
        if (error) return acknowledge({ error: "the message could not be stored" });
        io.to("chat").emit("chat message", text, this.lastID);
        acknowledge({});
      });
    });
    const offset = Number(socket.handshake.auth.serverOffset) || 0;
    database.all("SELECT id, content FROM messages WHERE id > ? ORDER BY id", [offset], (error, rows) => {
      if (error) return socket.conn.close(); // the client connects again
      for (const row of rows) socket.emit("chat message", row.content, row.id);
      if (socket.connected) socket.join("chat");
    });
  });
  return (done) => database.close(done);
}

module.exports = { deliver, openDatabase };
