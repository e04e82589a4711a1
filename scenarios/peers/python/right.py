"""A chat on python-socketio that keeps the promise of its level, which is its argument:
server-delivery or client-delivery.

Read store, publish and catch_up, in this order. All three hold one lock: messages are
emitted in the order in which they are stored, and a page goes over from the replay to the
live messages at one point of that order.

Start it with `PORT=3000 DATA_DIR=. /usr/bin/python3 right.py client-delivery`; it needs the
Debian packages python3-socketio and python3-aiohttp.
"""

import asyncio
import os
import sqlite3
import sys
from pathlib import Path

import socketio
from aiohttp import web

CHAT = "chat message"
ROOM = "chat"  # of the clients that have caught up
REPLAY_PAGE = 500  # messages
LEVELS = {"server-delivery": "step7", "client-delivery": "step8"}

level = sys.argv[1] if len(sys.argv) > 1 else ""
if level not in LEVELS:
    sys.exit(f"the argument is a level, one of {', '.join(LEVELS)}")
KEYED = level == "client-delivery"


def seconds(name, default):
    return int(os.environ.get(name) or default) / 1000


# Without async_handlers the events of one client are handled one after another, in the
# order sent. With always_connect the client is connected before it is sent anything.
sio = socketio.AsyncServer(
    async_mode="aiohttp", async_handlers=False, always_connect=True,
    ping_interval=seconds("PING_INTERVAL", 25000), ping_timeout=seconds("PING_TIMEOUT", 20000))
# Statements run on the event loop, so a locked database must not hold it up for long.
database = sqlite3.connect(
    Path(os.environ.get("DATA_DIR") or ".") / "chat.db", timeout=0.1, isolation_level=None)
order = asyncio.Lock()
connected = set()
published = 0  # the id up to which messages were emitted


async def store(text, key):
    """Stores a message, unless one with its key is there, and emits what is new."""
    async with order:
        try:
            database.execute(
                "INSERT INTO messages (content, client_offset) VALUES (?, ?)"
                " ON CONFLICT (client_offset) DO NOTHING", (text, key))
        finally:
            # Also after an error, which does not prove that nothing was stored.
            await publish()


async def publish():
    """Emits what the log has and no client was sent yet."""
    global published
    for id, content in database.execute(
            "SELECT id, content FROM messages WHERE id > ? ORDER BY id", (published,)).fetchall():
        published = id
        await sio.emit(CHAT, (content, id), room=ROOM)


@sio.on(CHAT)
async def chat_message(sid, text=None, key=None, *_):
    if not isinstance(text, str) or KEYED and not isinstance(key, str):
        return {"error": "a message is a text and a key" if KEYED else "a message is a text"}
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"error": "the text has half a surrogate pair, which SQLite cannot store"}
    try:
        await store(text, key if KEYED else None)  # NULLs are never in conflict
    except sqlite3.Error as error:
        if KEYED:
            # No acknowledgement, so the page sends the message again. An error would be an
            # acknowledgement, too.
            raise
        print("not stored:", error, file=sys.stderr)
        return {"error": "the message could not be stored"}
    return {}


@sio.event
async def connect(sid, environ, auth=None):
    connected.add(sid)
    sio.start_background_task(caught_up, sid, (auth or {}).get("serverOffset", 0))


@sio.event
async def disconnect(sid):
    connected.discard(sid)


async def caught_up(sid, offset):
    try:
        await catch_up(sid, offset)
    except sqlite3.Error as error:
        print("not replayed:", error, file=sys.stderr)
        if sid in connected:
            # The client connects again, and asks again. sio.disconnect would send it away.
            await sio.eio.disconnect(sio.manager.eio_sid_from_sid(sid, "/"))


async def catch_up(sid, offset):
    """Sends a page what is stored after its offset, and lets it into the room.

    Only the end of the replay and the joining hold up the other clients.
    """
    async def replay():
        nonlocal offset
        rows = database.execute(
            "SELECT id, content FROM messages WHERE id > ? ORDER BY id LIMIT ?",
            (offset, REPLAY_PAGE)).fetchall()
        for offset, content in rows:
            await sio.emit(CHAT, (content, offset), to=sid)
        return len(rows) == REPLAY_PAGE and sid in connected

    if type(offset) is not int or not 0 <= offset <= newest():
        # It names no message of this log, so the page has to begin anew.
        await sio.emit("reset", to=sid)
        offset = 0
    while await replay():
        pass
    async with order:
        await publish()  # else these would be in the replay, and come live as well
        while await replay():
            pass
        if sid in connected:
            sio.enter_room(sid, ROOM)


def newest():
    return database.execute("SELECT COALESCE(MAX(id), 0) FROM messages").fetchone()[0]


def serves(file):
    async def handler(request):
        return web.FileResponse(file)
    return handler


async def one_request(request, response):
    """A browser repeats a request that fails on a connection that was in use before, without
    telling the page. A repeated poll has lost the messages of the first answer, so each
    request gets a connection of its own: then the page sees the failure, and connects again.
    """
    if not isinstance(response, web.WebSocketResponse):
        response.force_close()


def main():
    global published
    database.execute("PRAGMA journal_mode = WAL")  # readers do not wait for a writer
    database.execute("""CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT NOT NULL, client_offset TEXT UNIQUE)""")
    # Every client of this process asks for what is stored already when it connects.
    published = newest()
    app = web.Application()
    app.on_response_prepare.append(one_request)
    # The pages are the kit's, so that the server can be tried in a browser.
    steps = Path(__file__).resolve().parents[3] / "steps"
    app.router.add_get("/", serves(steps / LEVELS[level] / "index.html"))
    app.router.add_get("/style.css", serves(steps / "internal/serve/style.css"))
    app.router.add_get("/socket.io/socket.io.js", serves(steps / "node_modules/socket.io-client/dist/socket.io.js"))
    sio.attach(app)
    # At SIGTERM a WebSocket that is open is cut off after the time-out.
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT") or 3000), shutdown_timeout=0.5)


main()
