"""Turns run on a gateway in this process, and what they gave."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from lingma_gateway.conversation import Message, Role, Text, Turn
from lingma_gateway.events import Finished, PartKind, StreamEvent
from lingma_gateway.record import TurnRecord
from tests.lingma_gateway.support_events import check_ordering, text_of
from tests.matrix.bench import Bench, eventually_empty


@dataclass
class Ran:
    """What a turn gave."""

    record: TurnRecord
    batches: list[list[StreamEvent]] = field(default_factory=list)

    @property
    def events(self) -> list[StreamEvent]:
        return [event for batch in self.batches for event in batch]

    @property
    def text(self) -> str:
        return text_of(self.events, PartKind.TEXT)

    @property
    def finished(self) -> Finished:
        last = self.events[-1]
        assert isinstance(last, Finished)
        return last


def turn(prompt: str, *, stream: bool = True, **more: Any) -> Turn:
    return Turn("org_auto", (Message(Role.USER, (Text(prompt),)),), stream=stream, **more)


def running(gateway: Bench, asked: Turn, record: TurnRecord) -> AsyncGenerator[list[StreamEvent], None]:
    return gateway.services.turns.run(asked, record)


async def run(gateway: Bench, asked: Turn, **recorded: Any) -> Ran:
    """A turn to its end: its events obey the ordering law, and its slot is free again."""
    ran = Ran(TurnRecord("req-1", "team-a", **recorded))
    async with aclosing(running(gateway, asked, ran.record)) as produced:
        async for events in produced:
            ran.batches.append(events)
    check_ordering(ran.events)
    assert gateway.pool.in_flight == 0
    return ran


async def nothing_left(gateway: Bench) -> None:
    """No turn is left upstream, and no session that nothing comes back to."""

    async def left() -> str:
        state = await gateway.control("GET", "/state")
        state["sessions"] = set(state["sessions"]) - gateway.kept
        return ", ".join(f"{name}: {state[name]}" for name in ("turns", "sessions", "unanswered") if state[name])

    await eventually_empty(left)
