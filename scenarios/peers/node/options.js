// What the chats of this folder take from the environment for their Socket.IO server.
"use strict";

function milliseconds(name) {
  const text = process.env[name];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) {
    fail(`${name} is a number of milliseconds, not "${text}"`);
  }
  return value;
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

// Options that nobody asked for stay the library's own.
function serverOptions() {
  const options = { connectionStateRecovery: {} };
  const pingInterval = milliseconds("PING_INTERVAL");
  const pingTimeout = milliseconds("PING_TIMEOUT");
  const away = milliseconds("MAX_DISCONNECTION_DURATION");
  if (pingInterval) options.pingInterval = pingInterval;
  if (pingTimeout) options.pingTimeout = pingTimeout;
  if (away) options.connectionStateRecovery.maxDisconnectionDuration = away;
  return options;
}

module.exports = { fail, serverOptions };
