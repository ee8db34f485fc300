"""One question to Lingma and what it answers. A turn of a client may need several, in the same session."""

import asyncio
import functools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from lingma_contract.jsonlog import event
from lingma_gateway.errors import GatewayError, UpstreamError
from lingma_gateway.lingma import calls, updates
from lingma_gateway.lingma.connection import Connection, TurnPushes
from lingma_gateway.lingma.thinking import Piece
from lingma_gateway.lingma.toolanswers import ToolAnswers
from lingma_gateway.lingma.updates import Anew, AnswerReader, Pushed, Spoken

log = logging.getLogger(__name__)

CLEANUP_TIMEOUT_S = 2.0
"""Longest wait for what ends a turn or a session."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How Lingma is asked. Times in seconds; there is no limit on a whole answer."""

    first_event_timeout_s: float
    idle_timeout_s: float
    ask_as_request: bool = False


class Listener(Protocol):
    """Hears pieces while the task that reads the answer waits for them."""

    def ready(self) -> bool:
        """Whether it can hear now."""
        ...

    def hear(self, pieces: list[Piece]) -> bool:
        """Take some pieces; False: the task is to go on."""
        ...


class Exchange:
    """Made by `exchange`, which stops Lingma where the answer was not read to its end."""

    __slots__ = ("_connection", "_manner", "_overheard", "_pushes", "_reader", "_stopped", "request_id")

    def __init__(
        self,
        connection: Connection,
        request_id: str,
        pushes: TurnPushes,
        reader: AnswerReader,
        manner: Manner,
        overheard: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.request_id = request_id
        self._connection = connection
        self._pushes = pushes
        self._reader = reader
        self._manner = manner
        self._overheard = overheard
        self._stopped = False

    @property
    def session_id(self) -> str:
        """Lingma's session as far as it is known: empty before the first push of a new one."""
        return self._reader.session_id

    @property
    def finished(self) -> bool:
        """Whether Lingma has ended its answer."""
        return self._reader.finished

    async def pieces(self, listener: Listener) -> AsyncGenerator[list[Piece] | Anew, None]:
        """The answer as it comes, until its end; what came together is one list. What Lingma says beside the answer
        goes to `overheard`; after what it says of a tool comes an empty list, so that it can be shown in its place.
        Pieces after the first go to `listener` where it is ready, and when it says that this task is to go on, there is
        an empty list too.

        Raises:
            GatewayError: it was refused, broke off, or fell silent.
        """
        timeout_s, waited_for = self._manner.first_event_timeout_s, "answer"
        try:
            while not self._reader.finished:
                pushed = await self._pushes.batch(timeout_s, waited_for)
                timeout_s, waited_for = self._manner.idle_timeout_s, "more of its answer"
                if self._pushes.taker is None:
                    self._pushes.taker = functools.partial(self._take, listener)
                for pieces in self._heard(pushed):
                    yield pieces
        finally:
            self._pushes.taker = None

    def _heard(self, pushed: list[Pushed]) -> Iterator[list[Piece] | Anew]:
        pieces: list[Piece] = []
        try:
            for each in pushed:
                produced = self._reader.hear(each) if isinstance(each, Spoken) else self._read(*each)
                if isinstance(produced, Anew) or _is_about_tool(each):
                    if pieces:
                        yield pieces
                    pieces = []
                    yield produced
                else:
                    pieces += produced
                if self._reader.finished:
                    break
        except GatewayError:
            # What came before the refusal was said all the same.
            if pieces:
                yield pieces
            raise
        if pieces or not pushed:
            yield pieces

    def _take(self, listener: Listener, pushed: list[Pushed]) -> list[Pushed] | None:
        """Have pieces heard at once, where all pushes are such as nearly all are; otherwise all are left."""
        if not listener.ready():
            return pushed
        spoken = [each for each in pushed if isinstance(each, Spoken) and not each.params.overwrite]
        if len(spoken) < len(pushed):
            return pushed
        pieces: list[Piece] = []
        for each in spoken:
            pieces += self._reader.add(each)
        return None if not pieces or listener.hear(pieces) else []

    def _read(self, method: str, params: dict[str, Any]) -> list[Piece] | Anew:
        if method in updates.BESIDE:
            self._overheard(method, params)
        return self._reader.read(method, params)

    async def stop(self) -> None:
        """Tell Lingma to stop, once, without letting a lost connection hide why."""
        if self._stopped or self._reader.finished:
            return
        self._stopped = True
        params = calls.stop(self.request_id, self.session_id)
        request = self._connection.request("chat/stop", params, CLEANUP_TIMEOUT_S)
        try:
            await asyncio.shield(asyncio.ensure_future(request))
        except UpstreamError as error:
            event(log, "lingma_stop_failed", level=logging.WARNING, reason=str(error)[:200])

    async def settle(self) -> None:
        """Stop, and wait for the end that Lingma then tells, so that its session can take another question.

        One that does not tell it in time is asked all the same.
        """
        await self.stop()
        try:
            async with asyncio.timeout(CLEANUP_TIMEOUT_S):
                while not self._reader.finished:
                    pushed = await self._pushes.next(CLEANUP_TIMEOUT_S, "end of its answer")
                    if not isinstance(pushed, Spoken):
                        self._reader.read(*pushed)
        except (GatewayError, TimeoutError) as error:
            event(log, "lingma_not_settled", level=logging.DEBUG, error=type(error).__name__)

    def observe_rest(self) -> None:
        """Learn the session's id from what came in the meantime: a turn may end before its first push was read."""
        for pushed in self._pushes.arrived():
            if isinstance(pushed, Spoken):
                self._reader.hear(pushed)
            else:
                self._reader.observe(pushed[1])


def _is_about_tool(pushed: Pushed) -> bool:
    return not isinstance(pushed, Spoken) and pushed[0] in updates.TOOL_METHODS


@asynccontextmanager
async def exchange(
    connection: Connection,
    ask: calls.Ask,
    prompt: str,
    manner: Manner,
    overheard: Callable[[str, dict[str, Any]], None],
    tools: ToolAnswers | None = None,
) -> AsyncIterator[Exchange]:
    """Ask; at the end of the block Lingma is stopped if it still answers. Without `tools` each tool is denied.

    Raises:
        GatewayError: it could not be asked.
    """
    reader = AnswerReader(ask.session_id)
    with connection.turn(ask.request_id, tools) as pushes:
        running = Exchange(connection, ask.request_id, pushes, reader, manner, overheard)
        try:
            await connection.ask(calls.ask(ask, prompt), pushes, as_request=manner.ask_as_request)
            yield running
        finally:
            if not running.finished:
                await running.stop()
                running.observe_rest()
