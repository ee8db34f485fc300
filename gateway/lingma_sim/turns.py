"""The turns in progress: begun, one at a time where a fault says so, and stopped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from lingma_sim import pushes
from lingma_sim.hub import Hub
from lingma_sim.journal import Journal
from lingma_sim.performance import FINISH_OK, Performance, World
from lingma_sim.pushes import TurnIds
from lingma_sim.sessions import Record, Session
from lingma_sim.tooluse import ToolDesk
from lingma_sim.turn import Ask, Plan, Turn


class StopRefused(Exception):
    """chat/stop fails, since a fault says so."""


@dataclass(frozen=True, slots=True)
class _Running:
    turn: Turn
    task: asyncio.Task[None]

    @property
    def ids(self) -> TurnIds:
        return self.turn.ids


class Turns:
    """The turns in progress, by request id."""

    def __init__(self, hub: Hub, journal: Journal, world: World) -> None:
        self.desk = ToolDesk()
        self._hub = hub
        self._journal = journal
        self._world = world
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lane = asyncio.Lock()
        self._asked = asyncio.Event()

    def is_running(self, request_id: str) -> bool:
        """Whether a turn of this id is in progress."""
        return request_id in self._running

    def count(self) -> int:
        """How many turns are in progress."""
        return len(self._running)

    def session_ids(self) -> list[str]:
        """Sessions with a turn in progress."""
        return sorted({running.ids.session_id for running in self._running.values()})

    def start(self, ask: Ask, session: Session, plan: Plan, again: Record | None = None) -> asyncio.Task[None]:
        """Begin a turn; its first push is sent after the caller yields, so an ack sent before it comes first.

        `again` is the record of an earlier turn that is answered anew.
        """
        ids = TurnIds(ask.request_id, session.session_id, ask.session_type)
        record = again or Record(ask.request_id, ask.task, ask.question)
        if again is None:
            session.records.append(record)
        record.answer = ""
        earlier = [one.question for one in session.records[: session.records.index(record)]]
        turn = Turn(ask, plan, ids, session, record, earlier)
        self._asked.set()
        self._asked = asyncio.Event()
        task = self.spawn(self._perform(turn, self._asked))
        self._running[ask.request_id] = _Running(turn, task)
        task.add_done_callback(lambda _: self._forget(ask.request_id, task))
        return task

    async def _perform(self, turn: Turn, asked: asyncio.Event) -> None:
        async def next_ask() -> None:
            await asked.wait()

        async with self._turn_to_run():
            await Performance(self._hub, self._journal, self._world, self.desk, next_ask).run(turn)

    @contextlib.asynccontextmanager
    async def _turn_to_run(self) -> AsyncIterator[None]:
        if self._world.faults.peek("serial") is None:
            yield
            return
        async with self._lane:
            yield

    def refuse(self, ask: Ask, code: int, reason: str) -> None:
        """Answer an ask that gets no turn with chat/finish alone."""
        ids = TurnIds(ask.request_id, ask.session_id, ask.session_type)
        self.spawn(self._push("chat/finish", pushes.finish(ids, reason=reason, status=code)))

    def stop(self, *, request_id: str = "", session_id: str = "") -> None:
        """Cancel the turn of a request id, or all of a session; each then ends with chat/finish `cancelled`.

        Raises:
            StopRefused: a fault of the turn says so.
        """
        for running in list(self._running.values()):
            if running.ids.request_id == request_id or (session_id and running.ids.session_id == session_id):
                self._stop(running, running.turn.faults.text("stop"))

    def _stop(self, running: _Running, fault: str) -> None:
        if fault == "error":
            raise StopRefused("failed to stop the chat")
        if fault == "ignored":
            return
        # Forgotten at once: a second stop must not bring a second chat/finish.
        self._forget(running.ids.request_id, running.task)
        running.task.cancel()
        if fault != "no-finish":
            self.spawn(self._finish_cancelled(running))

    def _forget(self, request_id: str, task: asyncio.Task[None]) -> None:
        # By task: the id may have been taken again since.
        if request_id in self._running and self._running[request_id].task is task:
            del self._running[request_id]

    def cancel_all(self) -> None:
        """Cancel everything silently: nobody is left to tell."""
        for task in tuple(self._tasks):
            task.cancel()

    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What is under way."""
        return tuple(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside the connections, until it ends or cancel_all()."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _finish_cancelled(self, running: _Running) -> None:
        await asyncio.wait({running.task})
        await self._push("chat/finish", pushes.finish(running.ids, reason="cancelled", status=FINISH_OK))

    async def _push(self, method: str, params: Mapping[str, Any]) -> None:
        await self._hub.call(method, params, self._world.ack_timeout())
