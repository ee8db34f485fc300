"""The tap: each client's WebSocket gets one of its own to Lingma, and messages pass both ways untouched."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, WebSocketException

from lingma_contract.jsonlog import event
from lingma_gateway.capture.recording import MAX_FRAME_BYTES, Direction, Recording

log = logging.getLogger(__name__)

_MAX_MESSAGE_BYTES = MAX_FRAME_BYTES + 4096
_CONNECT_TIMEOUT_S = 10.0
_INTERNAL_ERROR = 1011
_ABNORMAL = (1005, 1006)
"""Codes that stand for "none" and may not be sent."""
_OWN_HEADERS = ("host", "connection", "upgrade", "content-length", "transfer-encoding")
"""Of a handshake, what belongs to one connection only; so does all that begins with `sec-websocket-`."""


class NoLingma(Exception):
    """It is not known where Lingma listens."""


class Tap:
    """Serves clients; made by `tapping`."""

    def __init__(self, recording: Recording, lingma_port: Callable[[], int]) -> None:
        self._recording = recording
        self._lingma_port = lingma_port
        self.connections = 0
        """Accepted so far."""

    async def serve(self, client: ServerConnection) -> None:
        """One client, until it or Lingma ends."""
        self.connections += 1
        number = self.connections
        try:
            lingma = await self._reach(client)
        except (NoLingma, OSError, TimeoutError, WebSocketException) as error:
            event(log, "tap_unreachable", level=logging.WARNING, connection=number, reason=str(error)[:200])
            await client.close(_INTERNAL_ERROR, "the tap does not reach Lingma")
            return
        event(log, "tap_opened", connection=number)
        try:
            await self._forward_until_closed(number, client, lingma)
        finally:
            self._recording.end(number)
            event(log, "tap_closed", connection=number)

    async def _reach(self, client: ServerConnection) -> ClientConnection:
        request = client.request
        path, headers = ("/", Headers()) if request is None else (request.path, forwarded_headers(request.headers))
        return await connect(
            f"ws://127.0.0.1:{self._lingma_port()}{path}",
            additional_headers=headers,
            user_agent_header=None,
            open_timeout=_CONNECT_TIMEOUT_S,
            close_timeout=1.0,
            ping_interval=None,
            max_size=_MAX_MESSAGE_BYTES,
            compression=None,
            proxy=None,
        )

    async def _forward_until_closed(self, number: int, client: ServerConnection, lingma: ClientConnection) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forward("in", number, client, lingma))
            group.create_task(self._forward("out", number, lingma, client))

    async def _forward(self, direction: Direction, number: int, source: Connection, target: Connection) -> None:
        try:
            while True:
                message = await source.recv()
                # Before it is sent: no answer may stand in the file above what it answers.
                self._recording.feed(direction, number, message)
                await target.send(message)
        except ConnectionClosed:
            code = source.close_code or _ABNORMAL[1]
            await target.close(_INTERNAL_ERROR if code in _ABNORMAL else code, source.close_reason or "")


def forwarded_headers(headers: Headers) -> Headers:
    """What of a client's handshake Lingma gets to see, such as `Cosy-MachineToken`. Pure; none of it is recorded."""
    kept = Headers()
    for name, value in headers.raw_items():
        if name.lower() not in _OWN_HEADERS and not name.lower().startswith("sec-websocket-"):
            kept[name] = value
    return kept


@asynccontextmanager
async def tapping(
    recording: Recording, host: str, port: int, lingma_port: Callable[[], int]
) -> AsyncIterator[tuple[Tap, int]]:
    """A tap and the port where it listens, until the block ends; then every connection is closed.

    Raises:
        OSError: the port is taken.
    """
    tap = Tap(recording, lingma_port)
    async with serve(
        tap.serve,
        host,
        port,
        server_header=None,
        ping_interval=None,
        close_timeout=1.0,
        max_size=_MAX_MESSAGE_BYTES,
        compression=None,
    ) as server:
        yield tap, server.sockets[0].getsockname()[1]
