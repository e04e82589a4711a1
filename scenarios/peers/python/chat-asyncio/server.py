"""Shape: the tutorial's chat on python-socketio's AsyncServer, served by aiohttp.

Promise: server-delivery. One lock is held from storing to emitting, and from the replay to
joining the room, so there is one order, and no gap and no overlap between the replay and the
live messages. Nothing is wrong with it on purpose; unlike right.py it sends a replay in one
piece, while all other clients wait.
"""

import asyncio
import os
import sqlite3
from pathlib import Path

import socketio
from aiohttp import web


def seconds(name, default):
    return int(os.environ.get(name) or default) / 1000


sio = socketio.AsyncServer(
    async_mode="aiohttp", async_handlers=False, always_connect=True,
    ping_interval=seconds("PING_INTERVAL", 25000), ping_timeout=seconds("PING_TIMEOUT", 20000))
database = sqlite3.connect(Path(os.environ.get("DATA_DIR") or ".") / "chat.db", isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT NOT NULL)")
order = asyncio.Lock()
connected = set()


@sio.event
async def connect(sid, environ, auth=None):
    connected.add(sid)
    sio.start_background_task(catch_up, sid, (auth or {}).get("serverOffset"))


@sio.event
async def disconnect(sid):
    connected.discard(sid)


async def catch_up(sid, offset):
    if type(offset) is not int:
        offset = 0
    async with order:
        for id, content in database.execute("SELECT id, content FROM messages WHERE id > ? ORDER BY id", (offset,)).fetchall():
            await sio.emit("chat message", (content, id), to=sid)
        if sid in connected:
            sio.enter_room(sid, "chat")


@sio.on("chat message")
async def chat_message(sid, text=None, *_):
    if not isinstance(text, str):
        return {"error": "a message is a text"}
    async with order:
        try:
            id = database.execute("INSERT INTO messages (content) VALUES (?)", (text,)).lastrowid
        except (sqlite3.Error, UnicodeEncodeError) as error:
            return {"error": f"the message could not be stored: {error}"}
        await sio.emit("chat message", (text, id), room="chat")
    return {}


async def ready(request):
    return web.Response(text="A chat server without a page of its own.\n")


async def one_request(request, response):
    """A browser repeats a request that fails on a kept-alive connection without telling the
    page, and a repeated poll has lost the messages of the first answer.
    """
    if not isinstance(response, web.WebSocketResponse):
        response.force_close()


app = web.Application()
app.on_response_prepare.append(one_request)
app.router.add_get("/", ready)
sio.attach(app)
# At SIGTERM a WebSocket that is open is cut off after the time-out.
web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT") or 3000), shutdown_timeout=0.5)
