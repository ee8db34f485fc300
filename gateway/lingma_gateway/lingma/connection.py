"""One WebSocket to Lingma: requests with their answers, turns with their pushes, and the news that it is lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from lingma_contract.jsonlog import event
from lingma_contract.masking import without_secrets
from lingma_gateway.codec.frames import MAX_BODY_BYTES, FrameError
from lingma_gateway.codec.jsonrpc import INVALID_REQUEST, Id
from lingma_gateway.codec.session import Heard, Malformed, Push, Refusal, Reply, RpcSession, Stray
from lingma_gateway.errors import UpstreamLost, UpstreamRefused, UpstreamTimeout
from lingma_gateway.lingma import calls, updates
from lingma_gateway.lingma.pushes import TurnPushes
from lingma_gateway.lingma.toolanswers import ToolAnswers
from lingma_gateway.lingma.websocket import SocketClosed, connect

__all__ = ["Connection", "TurnPushes", "open_connection"]

log = logging.getLogger(__name__)

PushListener = Callable[[str, dict[str, Any]], None]

_ACKNOWLEDGE_EVERY_S = 0.001
"""Shortest time between two writes that only acknowledge text of answers: under load many leave in one."""
_LOST = "the connection to Lingma is lost"


class Connection:
    """Made by `open_connection`. All methods belong to one event loop."""

    def __init__(self, rpc_timeout_s: float, on_push: PushListener, *, whole: bool = False) -> None:
        """`whole`: every push comes with all its params, as those need it who look at what Lingma sends."""
        self._rpc_timeout_s = rpc_timeout_s
        self._on_push = on_push
        self._session = RpcSession(None if whole else updates.Spoken)
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._turns: dict[str, TurnPushes] = {}
        self._lost: UpstreamLost | None = None
        self._loop = asyncio.get_running_loop()
        self._stirred: list[TurnPushes] = []
        """Turns for which this read has brought something."""
        self._unsent: list[bytes] = []
        """Answers to pushes, as messages."""
        self._urgent = False
        """Whether one of them must not wait."""
        self._sent_at = 0.0
        self._sending: asyncio.TimerHandle | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done when it is lost."""
        self.finished_turns = 0
        self.server: Any = None
        """What Lingma answered to `initialize`."""

    @property
    def under_way(self) -> int:
        """Turns, and calls of either side that are not answered yet."""
        return len(self._turns) + self._session.pending + self._session.owed

    @property
    def lost(self) -> bool:
        """Whether it has ended: every further call fails."""
        return self._lost is not None

    async def request(self, method: str, params: dict[str, Any], timeout_s: float | None = None) -> Any:
        """The result of one call.

        Raises:
            UpstreamRefused: Lingma answered with an error.
            UpstreamTimeout: no answer within `timeout_s` (default: the RPC timeout).
            UpstreamLost: the connection is gone.
        """
        limit_s = timeout_s or self._rpc_timeout_s
        id, data = self._session.request(method, params)
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # The connection may be lost while the call is still being sent, or after its caller has given up.
        reply.add_done_callback(_taken_note_of)
        self._replies[id] = reply
        try:
            await self._send(data)
            async with asyncio.timeout(limit_s):
                return await reply
        except TimeoutError as error:
            raise UpstreamTimeout(f"Lingma did not answer {method} within {limit_s:g} seconds") from error
        finally:
            self._replies.pop(id, None)
            self._session.forget(id)

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send what has no answer."""
        await self._send(self._session.notify(method, params))

    async def ask(self, params: dict[str, Any], pushes: TurnPushes, *, as_request: bool) -> None:
        """Begin a turn whose pushes are `pushes`.

        As a request its reply is not waited for, since some real ones never send it: the turn goes on by its pushes. A
        reply that refuses ends it at once, where a notification would be met with silence.
        """
        if not as_request:
            await self.notify("chat/ask", params)
            return
        pushes.asked, data = self._session.request("chat/ask", params)
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        reply.add_done_callback(pushes.asked_with)
        self._replies[pushes.asked] = reply
        await self._send(data)

    async def tell(self, method: str, params: dict[str, Any]) -> None:
        """Call without waiting for the answer."""
        id, data = self._session.request(method, params)
        self._session.forget(id)
        await self._send(data)

    @contextmanager
    def turn(self, request_id: str, tools: ToolAnswers | None = None) -> Iterator[TurnPushes]:
        """Collects the pushes of `request_id` until the block ends. Without `tools` each tool of Lingma's is denied."""
        pushes = TurnPushes(tools=tools)
        self._turns[request_id] = pushes
        if self._lost is not None:
            pushes.fail(self._lost)
        try:
            yield pushes
        finally:
            pushes.close()
            del self._turns[request_id]
            if pushes.asked is not None:
                self._replies.pop(pushes.asked, None)
                self._session.forget(pushes.asked)

    async def open(self, port: int) -> None:
        """Connect to the Lingma on loopback at `port`.

        Raises:
            UpstreamLost: nothing listens there, or it is no WebSocket.
        """
        try:
            self._socket = await connect(port, MAX_BODY_BYTES, self._received, self._closed)
        except SocketClosed as error:
            raise UpstreamLost(f"no Lingma answers on port {port}") from error

    async def close(self) -> None:
        """End it; whatever still waits fails."""
        await self._socket.close()

    async def _send(self, data: bytes) -> None:
        if self._lost is not None:
            # The socket may still be open, after bytes that were no frames; nobody reads from it any more.
            raise self._lost
        try:
            await self._socket.send(data)
        except SocketClosed as error:
            raise UpstreamLost(_LOST) from error

    def _received(self, messages: list[bytes]) -> None:
        """All messages of one read: what they push about one turn is one batch, and what they are owed one write."""
        try:
            for message in messages:
                found = self._session.receive(message)
                for inbound in found:
                    if isinstance(inbound, Heard):
                        self._hear(inbound, len(message) // len(found))
                    else:
                        self._handle(inbound, len(message) // len(found))
        except FrameError as error:
            self._socket.stop_reading()
            self._closed(str(error))
        else:
            self._answer_in_time()
        stirred, self._stirred = self._stirred, []
        for turn in stirred:
            turn.deliver()

    def _closed(self, reason: str) -> None:
        """Fail whatever still waits, at once."""
        if self._lost is not None:
            return
        event(log, "lingma_connection_lost", level=logging.WARNING, reason=reason[:200])
        self._lost = UpstreamLost("the connection to Lingma was lost")
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(self._lost)
        for turn in self._turns.values():
            turn.fail(self._lost)
        if self._sending is not None:
            self._sending.cancel()
        self.ended.set_result(None)

    def _hear(self, heard: Heard, size: int) -> None:
        call = heard.call
        assert isinstance(call, updates.Spoken)
        if heard.answer is not None:
            self._unsent.append(heard.answer)
        if (turn := self._turns.get(call.params.request_id)) is not None and turn.put(call, size):
            self._stirred.append(turn)

    def _handle(self, inbound: Push | Reply | Refusal | Stray | Malformed, size: int) -> None:
        match inbound:
            case Push():
                self._handle_push(inbound, size)
            case Reply(id, _, result):
                if (reply := self._replies.get(id)) is not None and not reply.done():
                    reply.set_result(result)
            case Refusal(id, method, code, message):
                if (reply := self._replies.get(id)) is not None and not reply.done():
                    words = without_secrets(message)[:300]
                    reply.set_exception(UpstreamRefused(f"Lingma refused {method}: {words} ({code})"))
            case Stray(id):
                event(log, "lingma_stray_answer", level=logging.DEBUG, id=id)
            case Malformed(reason, id):
                event(log, "lingma_malformed_message", level=logging.WARNING, reason=reason)
                if id is not None:
                    self._answer(self._session.refuse(id, INVALID_REQUEST, reason))

    def _handle_push(self, push: Push, size: int) -> None:
        request_id = self._request_id(push)
        turn = self._turns.get(request_id) if isinstance(request_id, str) else None
        if push.id is not None:
            self._acknowledge(push.id, push, ours=turn is not None)
        if turn is not None:
            self.finished_turns += push.method == updates.FINISH
            if turn.put((push.method, push.params), size):
                self._stirred.append(turn)
            approved = turn.tools.approval(push.method, push.params)
            if approved is not None:
                approval = calls.approval(push.params, str(request_id), approved=approved)
                self._tell_at_once("tool/call/approve", approval)
        elif request_id is None:
            self._on_push(push.method, push.params)

    def _request_id(self, push: Push) -> Any:
        """Of the turn that a push belongs to: one about a tool may say only which call it means."""
        request_id = push.params.get("requestId")
        if request_id is None and push.method in updates.TOOL_METHODS:
            knowing = (id for id, turn in self._turns.items() if turn.tools.knows(push.params))
            return next(knowing, None)
        return request_id

    def _acknowledge(self, id: Id, push: Push, *, ours: bool) -> None:
        """Answer at once, whatever the method: an unanswered push stalls Lingma, and a refusal may end a turn."""
        if push.method != updates.INVOKE:
            self._answer(self._session.answer(id, {}))
        elif not ours:
            # A call that belongs to another client of the same Lingma is that client's to answer.
            self._session.leave(id)
        elif push.params.get("async") is True:
            self._answer(self._session.answer(id, {}))
            self._tell_at_once("tool/invokeResult", calls.denied_tool(push.params))
        else:
            self._answer(self._session.answer(id, calls.denied_tool(push.params)))

    def _tell_at_once(self, method: str, params: dict[str, Any]) -> None:
        id, data = self._session.request(method, params)
        self._session.forget(id)
        self._answer(data)

    def _answer(self, data: bytes) -> None:
        self._unsent.append(data)
        self._urgent = True

    def _answer_in_time(self) -> None:
        """Send the answers of this read: at once, or with those of the next reads where many come within a moment.

        A Lingma that tells its text push by push, each after the answer to the last, is held up by a millisecond at
        most, and only where it has more than a thousand to tell in a second.
        """
        if not self._unsent:
            return
        now = self._loop.time()
        if self._urgent or now - self._sent_at >= _ACKNOWLEDGE_EVERY_S:
            self._send_answers()
        elif self._sending is None:
            self._sending = self._loop.call_later(_ACKNOWLEDGE_EVERY_S, self._send_answers)

    def _send_answers(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        answers, self._unsent, self._urgent = self._unsent, [], False
        self._sent_at = self._loop.time()
        try:
            self._socket.send_at_once(answers)
        except SocketClosed as error:
            self._closed(str(error))


def _taken_note_of(reply: "asyncio.Future[Any]") -> None:
    """An exception that nobody awaits is no defect here, and not to be reported as one."""
    if not reply.cancelled():
        reply.exception()


@asynccontextmanager
async def open_connection(
    port: int, *, process_id: int | None, rpc_timeout_s: float, on_push: PushListener, whole: bool = False
) -> AsyncIterator[tuple[Connection, "asyncio.Future[None]"]]:
    """An initialized connection to the Lingma on loopback at `port`, and the future that is done when it is lost.

    Raises:
        UpstreamLost: nothing listens there, or it is no WebSocket.
        UpstreamError: `initialize` failed.
    """
    connection = Connection(rpc_timeout_s, on_push, whole=whole)
    await connection.open(port)
    try:
        connection.server = await connection.request("initialize", calls.initialize(process_id))
        yield connection, connection.ended
    finally:
        await connection.close()
