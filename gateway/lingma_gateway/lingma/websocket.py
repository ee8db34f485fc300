"""A WebSocket to Lingma on a transport of its own: what is read comes as whole messages, all of one read at once.

The protocol is that of `websockets`, without its I/O: a task and a queue a connection cost more than all else that is
done for a token. Plain messages do not even pass through it (`codec.websocket`).
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from lingma_gateway.codec.websocket import FrameSplitter, Other, masked_text

_HOST = "127.0.0.1"
_CONNECT_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 1.0
_KEY_BYTES = 4
_HEADER_END = b"\r\n\r\n"
_MAX_UNREAD_BYTES = 1024 * 1024
"""Of acknowledgements that Lingma does not read, before nothing is read from it either."""
_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
_QUIET = logging.getLogger(f"{__name__}.frames")
_QUIET.setLevel(logging.WARNING)  # at `debug` the library logs what goes over the wire: prompts, answers and tokens

Received = Callable[[list[bytes]], None]
Lost = Callable[[str], None]


class SocketClosed(Exception):
    """It could not be opened, or is not open any more; the message says why."""


class WebSocket(asyncio.Protocol):
    """Made by `connect`. `received` gets the messages of one read, `lost` is called once, with the reason."""

    def __init__(self, port: int, max_bytes: int, received: Received, lost: Lost) -> None:
        self._protocol = ClientProtocol(parse_uri(f"ws://{_HOST}:{port}/"), max_size=max_bytes, logger=_QUIET)
        self._splitter = FrameSplitter(max_bytes)
        self._received = received
        self._lost: Lost | None = lost
        self._handshake = b""
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._room: asyncio.Future[None] | None = None
        """Set while the transport's buffer is full: done when it has room again."""
        self._unread = 0
        """Bytes that were sent all the same meanwhile."""
        self._reading_paused = False
        self._end_awaited = False

    # ---- what the owner calls

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is State.OPEN and not self._transport.is_closing()

    async def opened(self) -> None:
        """Until the handshake is done.

        Raises:
            SocketClosed: the other end is no WebSocket.
        """
        await self._opened

    def send_at_once(self, messages: Sequence[bytes]) -> None:
        """Send short messages in one write, whether or not they are read at the other end.

        Raises:
            SocketClosed: it is not open.
        """
        self._must_be_open()
        keys = os.urandom(_KEY_BYTES * len(messages))
        data = b"".join(
            masked_text(message, keys[number * _KEY_BYTES : (number + 1) * _KEY_BYTES])
            for number, message in enumerate(messages)
        )
        self._transport.write(data)
        if self._room is not None:
            self._unread += len(data)
            if self._unread > _MAX_UNREAD_BYTES and not self._reading_paused:
                self._reading_paused = True
                self._transport.pause_reading()

    async def send(self, message: bytes) -> None:
        """Send a message of any size; returns when there is room for more.

        Raises:
            SocketClosed: it is not open, or was lost meanwhile.
        """
        await self._drained()
        self._must_be_open()
        self._protocol.send_text(message)
        self._flush()
        await self._drained()
        self._must_be_open()

    def stop_reading(self) -> None:
        """What comes is of no more use."""
        self._received = _ignore

    async def close(self) -> None:
        """Say goodbye, and end the connection if the other end does not."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close()
            self._flush()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await asyncio.shield(self._ended)
        except TimeoutError:
            self._transport.abort()
            await self._ended

    # ---- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        if not self._opened.done():
            data = self._shake_hands(data)
        messages: list[bytes] = []
        for item in self._splitter.feed(data):
            if isinstance(item, Other):
                messages += self._other(item.raw)
            else:
                messages.append(item)
        if messages:
            self._received(messages)
        if self._protocol.state is not State.OPEN and self._opened.done():
            self._lose(self._why_closed())

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        reason = str(exc) if exc is not None else "the other end closed it"
        if not self._opened.done():
            self._opened.set_exception(SocketClosed(reason))
        self._make_room()
        self._ended.set_result(None)
        self._lose(reason)

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        self._make_room()
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    # ---- within

    def _shake_hands(self, data: bytes) -> bytes:
        """Take the answer to the upgrade; what follows it is returned."""
        self._handshake += data
        head, end, rest = self._handshake.partition(_HEADER_END)
        if not end and len(head) < 16384:
            return b""
        self._protocol.receive_data(head + end)
        if self._protocol.state is State.OPEN:
            self._opened.set_result(None)
            return rest
        self._opened.set_exception(SocketClosed(f"the upgrade failed: {self._protocol.handshake_exc}"))
        self._transport.abort()
        return b""

    def _other(self, raw: bytes) -> list[bytes]:
        """Let the library act on frames that are not plain messages; the data among them."""
        self._protocol.receive_data(raw)
        self._flush()
        events = self._protocol.events_received()
        return [bytes(each.data) for each in events if isinstance(each, Frame) and each.opcode in _DATA]

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
        if self._protocol.close_expected() and not self._end_awaited:
            self._end_awaited = True
            # A client waits for the server to close the connection (RFC 6455, section 7.1.1), but not for ever.
            self._loop.call_later(_CLOSE_TIMEOUT_S, self._transport.abort)

    def _must_be_open(self) -> None:
        if not self.open:
            raise SocketClosed("it is not open")

    async def _drained(self) -> None:
        while self._room is not None:
            await asyncio.shield(self._room)

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set_result(None)
            self._room, self._unread = None, 0

    def _why_closed(self) -> str:
        wrong, said = self._protocol.parser_exc, self._protocol.close_rcvd
        return str(wrong) if wrong is not None else f"it was closed with code {said.code if said else 'unknown'}"

    def _lose(self, reason: str) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)


def _ignore(_: list[bytes]) -> None:
    """Nobody wants it."""


async def connect(port: int, max_bytes: int, received: Received, lost: Lost) -> WebSocket:
    """An open WebSocket to loopback at `port`, whose messages have at most `max_bytes`.

    Raises:
        SocketClosed: nothing listens there, or it is no WebSocket.
    """
    loop = asyncio.get_running_loop()
    socket = WebSocket(port, max_bytes, received, lost)
    transport: asyncio.Transport | None = None
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            transport, _ = await loop.create_connection(lambda: socket, _HOST, port)
            await socket.opened()
    except (OSError, TimeoutError) as error:
        raise SocketClosed(f"{type(error).__name__} on port {port}") from error
    finally:
        if not socket.open and transport is not None:
            transport.abort()
    return socket
