"""A Lingma that does nothing but push: `python -m tests.benchmarks.gateway.upstream`.

It speaks the wire of the protocol page as far as a plain chat needs it: LSP frames in WebSocket text messages, one
message each, and every `chat/answer` is a request with an id that is owed an answer. What is pushed is ordered by the
question (`wire.Order`). Prints its port when it listens, and its counts when it is told to end.
"""

import asyncio
import itertools
import json
import signal
from collections import deque
from typing import Any, cast

import orjson
import uvloop

from tests.benchmarks.gateway import wire

_BURST = 64
"""Pushes in one write where they are not paced."""
_SESSION = "5e551011-0000-4000-8000-000000000000"
_ANSWERS: dict[str, Any] = {
    "initialize": {"capabilities": {}, "serverInfo": {"name": "lingma", "version": "2.11.1"}},
    "auth/status": {"status": 2, "whitelist": 3, "name": "benchmark", "id": "1", "userType": "personal_standard"},
    "config/queryModels": {"chat": [{"key": "org_auto", "displayName": "Auto", "isDefault": True}]},
    "ping": {"success": True},
}


class Answer:
    """One turn: its pushes, of constant length but for the id."""

    def __init__(self, request_id: str, order: wire.Order) -> None:
        self.order = order
        self.sent = 0
        ids = {"requestId": request_id, "sessionId": _SESSION}
        extra = {"sessionType": "chat"}
        fields = {**ids, "text": "TEXT", "overwrite": False, "isFiltered": False, "timestamp": 0, "extra": extra}
        push = {"jsonrpc": "2.0", "id": 1000000000, "method": "chat/answer", "params": {**fields}}
        body = orjson.dumps(push).replace(b"1000000000", b"%d").replace(b"TEXT", wire.TEXT.encode())
        length = len(body % (1000000000, wire.now_us()))
        self._template = b"Content-Length: %d\r\n\r\n" % length + body
        finish = {**ids, "reason": "success", "statusCode": 200, "fullAnswer": "", "extra": extra}
        self._finish = orjson.dumps({"jsonrpc": "2.0", "method": "chat/finish", "params": finish})

    def push(self, id: int) -> bytes:
        """The next event, as a message."""
        self.sent += 1
        return wire.text_frame(self._template % (id, wire.now_us()))

    @property
    def told(self) -> bool:
        return self.sent >= self.order.events

    def finish(self) -> bytes:
        """The end, as a message. It has no id, so that acknowledgements count events."""
        return wire.text_frame(b"Content-Length: %d\r\n\r\n%b" % (len(self._finish), self._finish))


class Counts:
    """Of all connections."""

    def __init__(self) -> None:
        self.pushed = 0
        self.acknowledged = 0


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._ids = itertools.count(1000000000)
        self._frames = wire.Frames()
        self._upgraded = False
        self._waiting: list[Answer] = []
        self._flood: deque[Answer] = deque()
        self._flooding = False
        self._paused = False
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type
        self._transport.set_write_buffer_limits(high=1 << 20)

    def connection_lost(self, exc: Exception | None) -> None:
        self._flood.clear()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flood_on()

    def data_received(self, data: bytes) -> None:
        if not self._upgraded:
            data = self._upgrade(data)
        for payload in self._frames.feed(data):
            body = payload.partition(b"\r\n\r\n")[2]
            if b'"method"' in body:
                self._called(orjson.loads(body))
            elif b'"result"' in body:
                self._counts.acknowledged += 1

    def _upgrade(self, data: bytes) -> bytes:
        head, _, rest = data.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        key = {name.lower(): value for name, value in fields.items()}[b"sec-websocket-key"]
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + wire.accept_key(key) + b"\r\n\r\n"
        )
        self._upgraded = True
        return rest

    def _called(self, call: dict[str, Any]) -> None:
        if call["method"] == "chat/ask":
            self._asked(call["params"])
        if call.get("id") is not None:
            body = orjson.dumps({"jsonrpc": "2.0", "id": call["id"], "result": _ANSWERS.get(call["method"], {})})
            self._transport.write(wire.text_frame(b"Content-Length: %d\r\n\r\n%b" % (len(body), body)))

    def _asked(self, params: dict[str, Any]) -> None:
        order = wire.Order.read(params["questionText"])
        self._waiting.append(Answer(params["requestId"], order))
        if len(self._waiting) < order.together:
            return
        answers, self._waiting = self._waiting, []
        for number, answer in enumerate(answers):
            if order.pace_us:
                # Spread over one interval, as streams that have nothing to do with each other are.
                begin = self._loop.time() + number / len(answers) * order.pace_us / 1e6
                self._loop.call_at(begin, self._pace, answer, begin)
            else:
                self._flood.append(answer)
        self._flood_on()

    def _pace(self, answer: Answer, begin: float) -> None:
        if self._transport.is_closing():
            return
        if answer.told:
            self._transport.write(answer.finish())
            return
        self._counts.pushed += 1
        self._transport.write(answer.push(next(self._ids)))
        self._loop.call_at(begin + answer.sent * answer.order.pace_us / 1e6, self._pace, answer, begin)

    def _flood_on(self) -> None:
        if self._flood and not self._flooding:
            self._flooding = True
            self._loop.call_soon(self._burst)

    def _burst(self) -> None:
        self._flooding = False
        messages: list[bytes] = []
        while self._flood and len(messages) < _BURST:
            answer = self._flood.popleft()
            if answer.told:
                messages.append(answer.finish())
                continue
            self._counts.pushed += 1
            messages.append(answer.push(next(self._ids)))
            self._flood.append(answer)
        self._transport.write(b"".join(messages))
        if not self._paused:
            self._flood_on()


async def main() -> None:
    """Until SIGTERM."""
    loop, ended, counts = asyncio.get_running_loop(), asyncio.Event(), Counts()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: Upstream(counts), wire.HOST, 0)
    print(json.dumps({"ports": [server.sockets[0].getsockname()[1]]}), flush=True)
    await ended.wait()
    print(json.dumps({"pushed": counts.pushed, "acknowledged": counts.acknowledged}), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
