"""One WebSocket to Lingma: requests with their answers, turns with their pushes, and the news that it is lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from lingma_contract.jsonlog import event
from lingma_contract.masking import without_secrets
from lingma_gateway.codec.frames import MAX_BODY_BYTES, FrameError
from lingma_gateway.codec.jsonrpc import INVALID_REQUEST, Id
from lingma_gateway.codec.session import Inbound, Malformed, Push, Refusal, Reply, RpcSession, Stray
from lingma_gateway.errors import GatewayError, UpstreamLost, UpstreamRefused, UpstreamTimeout
from lingma_gateway.lingma import calls, refusals, updates
from lingma_gateway.lingma.toolanswers import ToolAnswers
from lingma_gateway.toolpolicy import DENY_ALL

log = logging.getLogger(__name__)

Pushed = tuple[str, dict[str, Any]]
PushListener = Callable[[str, dict[str, Any]], None]

_CONNECT_TIMEOUT_S = 5.0
_QUIET = logging.getLogger(f"{__name__}.frames")
_QUIET.setLevel(logging.WARNING)  # at `debug` the library logs what goes over the wire: prompts, answers and tokens


class TurnPushes:
    """The pushes that belong to one request of ours."""

    def __init__(self, tools: ToolAnswers | None = None) -> None:
        """Without `tools` each tool of Lingma's is denied."""
        self.tools = tools or ToolAnswers(DENY_ALL)
        self._queue: asyncio.Queue[Pushed | GatewayError] = asyncio.Queue()
        self.asked: int | None = None
        """Id of the `chat/ask`, where it was sent as a request."""

    def put(self, item: Pushed | GatewayError) -> None:
        """Never waits: how fast a client reads its answer must not hold up the acknowledgement of pushes."""
        self._queue.put_nowait(item)

    def asked_with(self, reply: "asyncio.Future[Any]") -> None:
        """Lingma replied to the ask: the turn ends if it refused."""
        error = reply.exception()
        refused = refusals.in_reply(reply.result()) if error is None else error
        if isinstance(refused, GatewayError):
            self.put(refused)

    def arrived(self) -> list[Pushed]:
        """The pushes that are here and that nobody has taken; none is waited for."""
        items = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        return [item for item in items if isinstance(item, tuple)]

    async def next(self, timeout_s: float, waited_for: str) -> Pushed:
        """The next push.

        Raises:
            UpstreamTimeout: nothing came within `timeout_s` seconds.
            GatewayError: the connection was lost, or the call itself was refused.
        """
        try:
            async with asyncio.timeout(timeout_s):
                item = await self._queue.get()
        except TimeoutError as error:
            raise UpstreamTimeout(f"Lingma sent no {waited_for} within {timeout_s:g} seconds") from error
        if isinstance(item, GatewayError):
            raise item
        return item


class Connection:
    """Made by `open_connection`, which also runs its reader. All methods belong to one event loop."""

    def __init__(self, socket: ClientConnection, rpc_timeout_s: float, on_push: PushListener) -> None:
        self._socket = socket
        self._rpc_timeout_s = rpc_timeout_s
        self._on_push = on_push
        self._session = RpcSession()
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._turns: dict[str, TurnPushes] = {}
        self._lost: UpstreamLost | None = None
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
        pushes = TurnPushes(tools)
        self._turns[request_id] = pushes
        if self._lost is not None:
            pushes.put(self._lost)
        try:
            yield pushes
        finally:
            del self._turns[request_id]
            if pushes.asked is not None:
                self._replies.pop(pushes.asked, None)
                self._session.forget(pushes.asked)

    async def _send(self, data: bytes) -> None:
        if self._lost is not None:
            # The socket may still be open, after bytes that were no frames; nobody reads from it any more.
            raise self._lost
        try:
            await self._socket.send(data, text=True)
        except ConnectionClosed as error:
            raise UpstreamLost("the connection to Lingma is lost") from error

    async def read_until_lost(self) -> None:
        """Handle what arrives until the connection ends; then fail whatever still waits, at once."""
        try:
            async for data in self._frames():
                for inbound in self._session.receive(data):
                    await self._handle(inbound)
        except (ConnectionClosed, FrameError, UpstreamLost) as error:
            event(log, "lingma_connection_lost", level=logging.WARNING, reason=str(error)[:200])
        finally:
            self._fail(UpstreamLost("the connection to Lingma was lost"))

    async def _frames(self) -> AsyncIterator[bytes]:
        while True:
            data = await self._socket.recv(decode=False)
            yield data if isinstance(data, bytes) else data.encode()

    async def _handle(self, inbound: Inbound) -> None:
        match inbound:
            case Push():
                await self._handle_push(inbound)
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
                    await self._send(self._session.refuse(id, INVALID_REQUEST, reason))

    async def _handle_push(self, push: Push) -> None:
        request_id = self._request_id(push)
        turn = self._turns.get(request_id) if isinstance(request_id, str) else None
        if push.id is not None:
            await self._acknowledge(push.id, push, ours=turn is not None)
        if turn is not None:
            self.finished_turns += push.method == updates.FINISH
            turn.put((push.method, push.params))
            approved = turn.tools.approval(push.method, push.params)
            if approved is not None:
                approval = calls.approval(push.params, str(request_id), approved=approved)
                await self.tell("tool/call/approve", approval)
        elif request_id is None:
            self._on_push(push.method, push.params)

    def _request_id(self, push: Push) -> Any:
        """Of the turn that a push belongs to: one about a tool may say only which call it means."""
        request_id = push.params.get("requestId")
        if request_id is None and push.method in updates.TOOL_METHODS:
            knowing = (id for id, turn in self._turns.items() if turn.tools.knows(push.params))
            return next(knowing, None)
        return request_id

    async def _acknowledge(self, id: Id, push: Push, *, ours: bool) -> None:
        """Answer at once, whatever the method: an unanswered push stalls Lingma, and a refusal may end a turn."""
        if push.method != updates.INVOKE:
            await self._send(self._session.answer(id, {}))
        elif not ours:
            # A call that belongs to another client of the same Lingma is that client's to answer.
            self._session.leave(id)
        elif push.params.get("async") is True:
            await self._send(self._session.answer(id, {}))
            await self.tell("tool/invokeResult", calls.denied_tool(push.params))
        else:
            await self._send(self._session.answer(id, calls.denied_tool(push.params)))

    def _fail(self, error: UpstreamLost) -> None:
        self._lost = error
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(error)
        for turn in self._turns.values():
            turn.put(error)


def _taken_note_of(reply: "asyncio.Future[Any]") -> None:
    """An exception that nobody awaits is no defect here, and not to be reported as one."""
    if not reply.cancelled():
        reply.exception()


@asynccontextmanager
async def open_connection(
    port: int, *, process_id: int | None, rpc_timeout_s: float, on_push: PushListener
) -> AsyncIterator[tuple[Connection, "asyncio.Task[None]"]]:
    """An initialized connection to the Lingma on loopback at `port`, and the task that ends when it is lost.

    Raises:
        UpstreamLost: nothing listens there, or it is no WebSocket.
        UpstreamError: `initialize` failed.
    """
    try:
        socket = await connect(
            f"ws://127.0.0.1:{port}/",
            open_timeout=_CONNECT_TIMEOUT_S,
            close_timeout=1.0,
            ping_interval=None,  # Lingma's own `ping` is the heartbeat
            max_size=MAX_BODY_BYTES,
            compression=None,
            proxy=None,
            logger=_QUIET,
        )
    except (OSError, TimeoutError, WebSocketException) as error:
        raise UpstreamLost(f"no Lingma answers on port {port}") from error
    connection = Connection(socket, rpc_timeout_s, on_push)
    reader = asyncio.create_task(connection.read_until_lost(), name=f"lingma-reader-{port}")
    try:
        connection.server = await connection.request("initialize", calls.initialize(process_id))
        yield connection, reader
    finally:
        await socket.close()
        await reader
