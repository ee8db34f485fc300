"""The open connections: pushes go to all of them, and the first reply counts."""

import asyncio
from collections.abc import Mapping
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast

from lingma_sim import frames, rpc
from lingma_sim.frames import FrameDecoder
from lingma_sim.journal import Journal
from lingma_sim.rpc import Message, Reply, RequestId


class Connection:
    """One client: whether it is initialized, and the pushes that it has not answered."""

    def __init__(self, number: int, websocket: ServerConnection, journal: Journal) -> None:
        self.number = number
        self.initialized = False
        self.decoder = FrameDecoder()
        self.pending: dict[RequestId, asyncio.Future[Reply]] = {}
        self._websocket = websocket
        self._journal = journal
        self._last_id = 0

    def send(self, message: Message) -> None:
        """Send at once, without waiting for a client that reads slowly; a closed connection is passed over."""
        self._journal.frame("out", self.number, message)
        broadcast([self._websocket], frames.encode(rpc.dump(message)).decode())

    def push(self, method: str, params: Mapping[str, Any], answered: asyncio.Future[Reply]) -> RequestId:
        """Send a push whose reply settles `answered`. Ids count from 1 on each connection, as the client's own may."""
        self._last_id += 1
        self.pending[self._last_id] = answered
        self.send(rpc.request(self._last_id, method, params))
        return self._last_id

    def settle(self, reply: Reply) -> bool:
        """Take a reply; whether a push was waiting under its id."""
        answered = self.pending.pop(reply.id, None)
        if answered is None:
            return False
        if not answered.done():
            answered.set_result(reply)
        return True


class Hub:
    """All connections."""

    def __init__(self, journal: Journal) -> None:
        self.connections: set[Connection] = set()
        self._journal = journal

    async def call(self, method: str, params: Mapping[str, Any], seconds: float) -> Reply | None:
        """Push to every connection and wait for the first reply; None, and a line in the log, when none comes."""
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        sent = [(connection, connection.push(method, params, answered)) for connection in tuple(self.connections)]
        try:
            async with asyncio.timeout(seconds):
                return await answered
        except TimeoutError:
            request_id = params.get("requestId", "")
            self._journal.log(
                f"|Outbound| request {request_id} {method} {params.get('sessionId', '')} failed: "
                "no response from client, timeout reached"
            )
            return None
        finally:
            for connection, push_id in sent:
                # A late reply is then one to an unknown id, as on the real server.
                connection.pending.pop(push_id, None)
