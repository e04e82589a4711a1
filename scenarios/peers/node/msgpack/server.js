// Shape: the tutorial's chat, whose packets are MessagePack (socket.io-msgpack-parser) in
// place of JSON. Every packet is a binary frame, and over polling base64.
//
// Promise: server-delivery; delivery.js keeps it. Nothing is wrong with it on purpose.
"use strict";

const path = require("node:path");
const { Server } = require("socket.io");
const parser = require("socket.io-msgpack-parser");
const { pages, start, withoutRecovery } = require("../application");
const { deliver } = require("../delivery");

const web = pages({ "/": path.join(__dirname, "index.html") });
const io = new Server(web, { ...withoutRecovery(), parser });

start(web, io, deliver(io));
