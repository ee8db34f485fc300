"""The floor: the same job as a bare loop, without a feature: `python -m tests.benchmarks.gateway.floor PORT`.

It reads WebSocket frames, decodes JSON-RPC in LSP frames, and writes server-sent events from a template. It checks
nothing, limits nothing, times nothing out and acknowledges no push unless `--acknowledge` says so: no gateway can do
the job for less in this language.
"""

import argparse
import asyncio
import json
import signal
import uuid
from typing import cast

import msgspec
import orjson
import uvloop

from tests.benchmarks.gateway import wire

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_BEFORE = (
    b'data: {"id":"chatcmpl-floorfloorfloorfloorfloorfloor","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"org_auto","choices":[{"index":0,"delta":{"content":'
)
_AFTER = b'},"finish_reason":null}]}\n\n'
_LAST = (
    b'data: {"id":"chatcmpl-floor","object":"chat.completion.chunk","created":1700000000,"model":"org_auto",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
_BODY = (
    b'{"id":"chatcmpl-floor","object":"chat.completion","created":1700000000,"model":"org_auto","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":%b},"finish_reason":"stop"}]}'
)


class Params(msgspec.Struct):
    requestId: str
    text: str = ""


class Push(msgspec.Struct):
    method: str
    params: Params
    id: int = 0


class Client(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, upstream: "Upstream") -> None:
        self._upstream = upstream
        self._received = b""
        self.texts: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._received = body[length:]
        asked = orjson.loads(body[:length])
        self.streams = asked["stream"]
        if self.streams:
            self.transport.write(_HEAD)
        self._upstream.ask(self, asked["messages"][0]["content"])


class Upstream(asyncio.Protocol):
    """The connection to Lingma."""

    def __init__(self, acknowledge: bool) -> None:
        self._acknowledge = acknowledge
        self._clients: dict[str, Client] = {}
        self._frames = wire.Frames()
        self._decoder = msgspec.json.Decoder(Push)
        self.upgraded: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type
        self._transport.write(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: floor\r\n\r\n")

    def ask(self, client: Client, question: str) -> None:
        """Begin a turn."""
        request_id = str(uuid.uuid4())
        self._clients[request_id] = client
        call = {"jsonrpc": "2.0", "method": "chat/ask", "params": {"requestId": request_id, "questionText": question}}
        body = orjson.dumps(call)
        self._transport.write(wire.masked_frame(b"Content-Length: %d\r\n\r\n%b" % (len(body), body)))

    def data_received(self, data: bytes) -> None:
        if not self.upgraded.done():
            data = data.partition(b"\r\n\r\n")[2]
            self.upgraded.set_result(None)
        answers: list[bytes] = []
        for payload in self._frames.feed(data):
            push = self._decoder.decode(payload[payload.index(b"\r\n\r\n") + 4 :])
            if self._acknowledge and push.id:
                body = b'{"jsonrpc":"2.0","id":%d,"result":{}}' % push.id
                answers.append(wire.masked_frame(b"Content-Length: %d\r\n\r\n%b" % (len(body), body)))
            self._pushed(push)
        if answers:
            self._transport.write(b"".join(answers))

    def _pushed(self, push: Push) -> None:
        client = self._clients[push.params.requestId]
        if push.method == "chat/finish":
            del self._clients[push.params.requestId]
            if client.streams:
                client.transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(_LAST), _LAST))
            else:
                self._answer(client)
        elif client.streams:
            event = _BEFORE + orjson.dumps(push.params.text) + _AFTER
            client.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        else:
            client.texts.append(push.params.text)

    def _answer(self, client: Client) -> None:
        body = _BODY % orjson.dumps("".join(client.texts))
        client.texts.clear()
        client.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


async def main() -> None:
    """Until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("upstream", type=int)
    parser.add_argument("--acknowledge", action="store_true")
    options = parser.parse_args()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    _, upstream = await loop.create_connection(lambda: Upstream(options.acknowledge), wire.HOST, options.upstream)
    await upstream.upgraded
    server = await loop.create_server(lambda: Client(upstream), wire.HOST, 0, backlog=1024)
    print(json.dumps({"ports": [server.sockets[0].getsockname()[1]]}), flush=True)
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(main())
