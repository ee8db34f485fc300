"""The open connections: pushes go to all of them, and the first reply counts."""

import asyncio
from collections.abc import Mapping
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast

from lingma_sim import frames, rpc, wire
from lingma_sim.faults import Faults
from lingma_sim.frames import FrameDecoder
from lingma_sim.journal import Journal
from lingma_sim.rpc import Message, Reply, RequestId

JOIN_SECONDS = 0.02
"""How long frames that are to be joined wait for the next one."""


class Connection:
    """One client: whether it is initialized, and the pushes that it has not answered."""

    def __init__(self, number: int, websocket: ServerConnection, journal: Journal, faults: Faults) -> None:
        self.number = number
        self.initialized = False
        self.decoder = FrameDecoder()
        self.pending: dict[RequestId, asyncio.Future[Reply]] = {}
        self.websocket = websocket
        self._journal = journal
        self._faults = faults
        self._last_id = 0
        self._sent = 0
        self._held: list[str] = []
        self._flush: asyncio.TimerHandle | None = None

    def send(self, message: Message) -> None:
        """Send at once, without waiting for a client that reads slowly; a closed connection is passed over."""
        self._journal.frame("out", self.number, message)
        self.send_text(self._framed(rpc.dump(message)))

    def _framed(self, body: bytes) -> str:
        form = self._faults.take("odd-headers")
        self._sent += 1
        return frames.encode(body).decode() if form is None else wire.headed(body, form, self._sent)

    def send_text(self, text: str) -> None:
        """Send what may or may not be a frame, joined with others and cut as the faults say."""
        joined = self._faults.take("join-frames")
        self._held.append(text)
        if joined is None or len(self._held) >= int(joined):
            self.flush()
        elif self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(JOIN_SECONDS, self.flush)

    def flush(self) -> None:
        """Send what was held back to be joined."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        text, self._held = "".join(self._held), []
        if not text:
            return
        size = self._faults.take("split-frames")
        for piece in [text] if size is None else wire.cut(text, int(size)):
            broadcast([self.websocket], piece)

    def push(self, method: str, params: Mapping[str, Any], answered: asyncio.Future[Reply]) -> RequestId:
        """Send a push whose reply settles `answered`. Ids count from 1 on each connection, as the client's own may."""
        self._last_id += 1
        push_id: RequestId = self._last_id if self._faults.take("string-ids") is None else str(self._last_id)
        self.pending[push_id] = answered
        self.send(rpc.request(push_id, method, params))
        return push_id

    def settle(self, reply: Reply) -> bool:
        """Take a reply; whether a push was waiting under its id."""
        answered = self.pending.pop(reply.id, None)
        if answered is None:
            return False
        if not answered.done():
            answered.set_result(reply)
        return True

    def drop(self, how: str) -> None:
        """Lose the connection without a WebSocket close: `half` in the middle of a frame, else at once."""
        self.flush()
        if how == "half":
            broadcast([self.websocket], "Content-Length: 400\r\n\r\n" + '{"jsonrpc":"2.0","method":"chat/an')
            self.websocket.transport.close()
        else:
            self.websocket.transport.abort()


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

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Push without an id to every connection: nobody need reply."""
        for connection in self.connections:
            connection.send({"jsonrpc": "2.0", "method": method, "params": dict(params)})

    def send_text(self, text: str) -> None:
        """Send what is no frame to every connection."""
        for connection in self.connections:
            connection.send_text(text)

    async def drop(self, how: str) -> None:
        """Lose every connection; see Connection.drop. `close` is a proper close with code 1011."""
        lost = tuple(self.connections)
        if how == "close":
            await asyncio.gather(*(connection.websocket.close(1011, "simulated") for connection in lost))
            return
        for connection in lost:
            connection.drop(how)
