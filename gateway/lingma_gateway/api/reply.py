"""Sends the events of a turn as they come: the status is held until the first one, so that a failure is a status."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lingma_contract.jsonlog import event
from lingma_gateway.api.access import Access
from lingma_gateway.codec import sse
from lingma_gateway.errors import GatewayError, UpstreamProtocol
from lingma_gateway.events import Finished, StreamEvent
from lingma_gateway.sharing import Answer

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 15.0
"""Proxies drop a silent connection after 60 s; comments of this kind disturb no client (clients page, section 4)."""

_SSE_HEADERS = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
    "connection": "keep-alive",
}


class Encoder(Protocol):
    """A dialect's form of an answer."""

    @property
    def media_type(self) -> str: ...

    def encode(self, event: StreamEvent) -> bytes:
        """The bytes for one event, or none."""
        ...

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """What a stream that has begun ends with when it breaks off: it closes the open part and says the error in the
        dialect's own event. Nothing means that the connection is to be aborted."""
        ...


class Direct:
    """The outlet of an answer: open while its reply can write."""

    __slots__ = ("_encode", "reply")

    def __init__(self, encoder: Encoder) -> None:
        self._encode = encoder.encode
        self.reply: Reply | None = None
        """Who sends the answer, once it is known."""

    def ready(self) -> bool:
        """Whether `send` may be called now."""
        return self.reply is not None and self.reply.writable

    def send(self, events: list[StreamEvent]) -> None:
        """Encode and write."""
        assert self.reply is not None
        if data := _encoded(self._encode, events):
            self.reply.write_at_once(data)


def _encoded(encode: Callable[[StreamEvent], bytes], events: list[StreamEvent]) -> bytes:
    return encode(events[0]) if len(events) == 1 else b"".join(map(encode, events))


class Encoded:
    """The events of a turn in a dialect's form."""

    __slots__ = ("_encoder", "_run")

    def __init__(self, run: AsyncGenerator[list[StreamEvent], None], encoder: Encoder) -> None:
        self._run = run
        self._encoder = encoder

    @property
    def media_type(self) -> str:
        return self._encoder.media_type

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """When they end, the turn has given its slot back."""
        encode = self._encoder.encode
        finished = False
        async with aclosing(self._run) as produced:
            async for events in produced:
                finished = isinstance(events[-1], Finished)
                if data := _encoded(encode, events):
                    yield data
        if not finished:
            # Several clients act on a stream that ends early but cleanly as if it were whole.
            raise UpstreamProtocol("the answer ended without its end")

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return self._encoder.fail(error, request_id)


class Reply(Response):
    """Sends an answer. A client that goes away ends the turn at once.

    The status is held until the first byte of the answer, so that a failure before it is an HTTP status, but no longer
    than `keep_alive_s`: then comments keep the connection, and a failure is told as the answer's own form has it.
    """

    __slots__ = (
        "_access",
        "_answer",
        "_begun",
        "_ended",
        "_fields",
        "_keep_alive_s",
        "_last_write",
        "_streaming",
        "_writing",
    )

    def __init__(
        self,
        answer: Answer,
        fields: Callable[[], Mapping[str, str]],
        access: Access,
        keep_alive_s: float = KEEP_ALIVE_S,
        direct: Direct | None = None,
    ) -> None:
        """`direct`: where events of the answer come from, beside its chunks."""
        self.background = None
        self._answer = answer
        self._fields = fields
        self._access = access
        self._keep_alive_s = keep_alive_s
        self._streaming = answer.media_type == sse.MEDIA_TYPE
        self._begun = False
        self._ended = False
        self._writing = asyncio.Lock()
        self._last_write = time.monotonic()
        if direct is not None:
            direct.reply = self

    @property
    def writable(self) -> bool:
        """Whether `write_at_once` may be called: the answer has begun, and nothing has to wait."""
        flow = self._access.flow
        if flow is None or flow.write_paused or self._writing.locked():
            return False
        return self._begun and not self._ended and self._streaming

    def write_at_once(self, data: bytes) -> None:
        """Some of the answer, while nobody waits to write more of it."""
        assert self._access.send is not None
        self._last_write = time.monotonic()
        sending = self._access.send({"type": "http.response.body", "body": data, "more_body": True})
        for _ in sending.__await__():
            raise RuntimeError("the server waits, although it has room")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sender = asyncio.create_task(self._send_all(send))
        gone = asyncio.create_task(_disconnected(receive))
        tasks = [sender, gone]
        if self._streaming:
            tasks.append(asyncio.create_task(self._keep_alive(send)))
        try:
            await asyncio.wait({sender, gone}, return_when=asyncio.FIRST_COMPLETED)
            self._access.client_gone = not sender.done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not sender.cancelled():
            self._conclude(sender)

    def _conclude(self, sender: "asyncio.Task[None]") -> None:
        """Before the first byte a failure is an answer of its own; after it, without an event that says so, the
        connection ends without an end."""
        error = sender.exception()
        if error is None:
            return
        if not self._begun or not isinstance(error, GatewayError):
            raise error
        self._broken_off(error)

    def _broken_off(self, error: GatewayError) -> None:
        self._access.aborted = True
        self._access.error = error.fault.code
        event(
            log,
            "answer_broken_off",
            level=logging.WARNING,
            request_id=self._access.request_id,
            error=type(error).__name__,
            reason=error.message,
        )

    async def _send_all(self, send: Send) -> None:
        try:
            await self._send_answer(send)
        except GatewayError as error:
            last = self._answer.fail(error, self._access.request_id) if self._begun else b""
            if not last:
                raise
            self._broken_off(error)
            await self._write(send, last)
            await self._end(send)

    async def _send_answer(self, send: Send) -> None:
        held: list[bytes] = []
        async with aclosing(self._answer.chunks()) as chunks:
            async for data in chunks:
                if self._streaming:
                    await self._write(send, data)
                else:
                    held.append(data)
        if self._streaming:
            await self._end(send)
        else:
            # Only now: the turn has given its slot back before its client can ask again.
            await self._write(send, b"".join(held))

    async def _end(self, send: Send) -> None:
        async with self._writing:
            self._ended = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, send: Send, data: bytes) -> None:
        if self._begun and not self._ended and not self._writing.locked():
            # As nearly always: past the lock, which costs as much as the rest, and past the layers of the framework.
            self._last_write = time.monotonic()
            await (self._access.send or send)(
                {"type": "http.response.body", "body": data, "more_body": self._streaming}
            )
            return
        async with self._writing:
            if self._ended:
                return  # a comment that waited behind the end
            self._last_write = time.monotonic()
            if not self._begun:
                self._begun = True
                await send({"type": "http.response.start", "status": 200, "headers": self._head(len(data))})
            await send({"type": "http.response.body", "body": data, "more_body": self._streaming})

    def _head(self, length: int) -> list[tuple[bytes, bytes]]:
        headers = {"content-type": self._answer.media_type, **self._fields()}
        headers |= _SSE_HEADERS if self._streaming else {"content-length": str(length)}
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    async def _keep_alive(self, send: Send) -> None:
        while True:
            silent_s = time.monotonic() - self._last_write
            if silent_s >= self._keep_alive_s:
                await self._write(send, sse.KEEP_ALIVE)
                silent_s = 0.0
            await asyncio.sleep(self._keep_alive_s - silent_s)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
