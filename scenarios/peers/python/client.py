"""The page of the kit's steps as a program on python-socketio, for levels up to
client-delivery. It reads commands and writes events as JSON lines; the package doc of
redial/harness/client/process describes them.

Read on_message, then send and deliver. What python-socketio's client does not have, and
socket.io-client has:

- connection state recovery: it sends no session id and no offset of its own, so at level
  recovery it loses what is sent while it is disconnected;
- a send buffer: emit raises an exception while there is no connection (see flush);
- retries (see deliver);
- a first connection attempt that is repeated (see connect).

The last three are made up for here, as an application has to. The first cannot be.

There is no level durable-delivery: what was sent would have to outlive the program, in a
file that the next start finds, and a program has no localStorage to have it in.

With the argument --ignore-offset it is wrong on purpose: it remembers no offset, so it is
sent everything at every connection, and shows it again.
"""

import asyncio
import json
import os
import sys
import uuid

import socketio

CHAT = "chat message"
KEEPS_OFFSET = ("server-delivery", "client-delivery")
ACK_TIMEOUT = 3  # seconds, and a millisecond more for each byte, as on the page of step 8


def write(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), flush=True)


class Client:
    def __init__(self, command, ignore_offset):
        level = command["level"]
        if level == "durable-delivery":
            raise ValueError("this client does not offer durable-delivery")
        self.url, self.transports = command["url"], command["transports"]
        self.keeps_offset, self.keyed = level in KEEPS_OFFSET, level == "client-delivery"
        self.ignore_offset = ignore_offset
        self.offset = 0  # of the last message shown
        self.unsent = []  # said while there was no connection
        self.queue = []  # said and not answered, the first of it on its way, where keyed
        self.connecting = self.delivering = None  # tasks
        self.sio = socketio.AsyncClient(handle_sigint=False)
        self.sio.on("connect", self.on_connect)
        self.sio.on("connect_error", lambda why=None: write("note", detail=f"connect_error: {why}"))
        self.sio.on("disconnect", self.on_disconnect)
        self.sio.on("reset", self.on_reset)
        self.sio.on(CHAT, self.on_message)

    def auth(self):
        # The library asks again at every connection attempt.
        return {"serverOffset": self.offset} if self.keeps_offset else {}

    async def connect(self):
        """Makes the first connection. The library repeats only attempts to connect again."""
        while not self.sio.connected:
            try:
                await self.sio.connect(self.url, auth=self.auth, transports=self.transports)
            except socketio.exceptions.ConnectionError as error:
                write("note", detail=f"not connected: {error}")
                await asyncio.sleep(1)

    def on_message(self, value, offset=None, *_):
        if not self.keeps_offset:
            return write("shown", message=typed_of(value))
        # What is recovered or replayed can come twice. Ids only grow, so what is not newer
        # is shown already.
        if offset <= self.offset:
            return
        write("shown", message=value, offset=offset)
        if not self.ignore_offset:
            self.offset = offset

    def on_reset(self):
        """The server's log is not the one that this client knows: begin again."""
        write("note", detail="the list was cleared: the server has another log")
        self.offset = 0

    async def on_connect(self):
        write("connected")
        if self.keyed:
            self.begin_delivery()
        else:
            await self.flush()

    def on_disconnect(self):
        write("disconnected")
        if self.delivering:
            self.delivering.cancel()
            self.delivering = None

    async def send(self, text):
        if self.keyed:
            self.queue.append((text, str(uuid.uuid4()), asyncio.get_running_loop().create_future()))
            if not self.delivering or self.delivering.done():
                self.begin_delivery()
        else:
            self.unsent.append(text)
            await self.flush()

    async def flush(self):
        """Sends what was said, once; what was said offline, when there is a connection."""
        while self.unsent and "/" in self.sio.namespaces:  # else emit raises BadNamespaceError
            text = self.unsent.pop(0)
            await self.sio.emit(CHAT, (text if self.keeps_offset else value_of(text),), callback=answered(text))

    def begin_delivery(self):
        if self.delivering:
            self.delivering.cancel()
        self.delivering = asyncio.create_task(self.deliver())

    async def deliver(self):
        """Sends one message after the other, each again and again until it is answered. A
        refusal is an answer. The key has the server store a repeated message once."""
        while self.queue and "/" in self.sio.namespaces:
            text, key, future = self.queue[0]
            try:
                await self.sio.emit(CHAT, (text, key), callback=answered(text, future))
                await asyncio.wait_for(asyncio.shield(future), ACK_TIMEOUT + len(text.encode()) / 1000)
            except asyncio.TimeoutError:
                continue
            self.queue.pop(0)


def answered(text, future=None):
    """The acknowledgement's callback. Of several answers to one message, the first counts."""
    def callback(answer=None, *_):
        if future:
            if future.done():
                return
            future.set_result(None)
        if isinstance(answer, dict) and "error" in answer:
            write("refused", message=text, detail=str(answer["error"]))
        else:
            write("acknowledged", message=text)
    return callback


def value_of(typed):
    """What was typed, as the value to send: JSON where it looks like it, bytes after
    /binary, and otherwise the text itself. As on the pages of steps 4 to 6."""
    try:
        if typed.startswith(("{", "[")):
            return json.loads(typed)
        if typed.lower().startswith("/binary "):
            return bytes.fromhex(typed[len("/binary "):])
    except ValueError:
        pass  # it only looked like it
    return typed


def typed_of(value):
    """The way back: what somebody would have typed to send this value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return "/binary " + value.hex()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def main():
    client = None
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader(limit=2 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while line := await stdin.readline():
        command = json.loads(line)
        try:
            match command["do"]:
                case "open":
                    client = Client(command, "--ignore-offset" in sys.argv)
                    client.connecting = asyncio.create_task(client.connect())
                case "send":
                    await client.send(command["text"])
                case "disconnect":
                    client.connecting.cancel()
                    await client.sio.disconnect()
                case "connect":
                    client.connecting = asyncio.create_task(client.connect())
                case "close":
                    break
        except Exception as error:
            write("failed", detail=f"{type(error).__name__}: {error}")
        else:
            write("done")
    if line:
        write("done")
    os._exit(0)  # as a tab that is closed: the connection ends without a goodbye


asyncio.run(main())
