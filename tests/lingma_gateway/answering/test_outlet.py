"""Events that go past the task of a turn: the client gets the same answer, and everything is given back."""

from contextlib import aclosing
from typing import Any

import pytest

from lingma_gateway.conversation import Tool
from lingma_gateway.errors import UpstreamError
from lingma_gateway.events import Finished, PartDelta, StreamEvent
from lingma_gateway.record import TurnRecord
from tests.lingma_gateway.answering.support import nothing_left, run, turn
from tests.lingma_gateway.support_events import check_ordering, parts_of
from tests.matrix.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="package")

WORDS = "@sim say one two three four five six seven eight nine ten\n@sim chunks 12"
READ = Tool("Read", "Reads a file", '{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}')
TURNS: dict[str, tuple[str, dict[str, Any]]] = {
    "a plain answer": (WORDS, {}),
    "reasoning before it": (f"@sim think so so so\n{WORDS}", {}),
    "a stop sequence": (WORDS, {"stop": (" four",)}),
    "a limit of tokens": (WORDS, {"max_tokens": 4}),
    "a limit that is not reached": (WORDS, {"max_tokens": 100}),
    "tools that are not called": (WORDS, {"tools": (READ,)}),
    "a call": ('@sim call Read {"path": "a.txt"}', {"tools": (READ,)}),
    "a body": (WORDS, {"stream": False}),
}


class Client:
    """Reads as soon as its answer has begun; then fails, if it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.events: list[StreamEvent] = []
        self.past = 0
        """Events that came past the task."""
        self._failure = failure

    def ready(self) -> bool:
        return bool(self.events)

    def send(self, events: list[StreamEvent]) -> None:
        if self._failure is not None:
            raise self._failure
        self.events += events
        self.past += len(events)


async def answered(gateway: Bench, client: Client, prompt: str, wanted: dict[str, Any]) -> None:
    asked = turn(prompt, **wanted)
    async with aclosing(gateway.services.turns.run(asked, TurnRecord("req-1", "team-a"), client)) as produced:
        async for events in produced:
            client.events += events


@pytest.mark.parametrize("name", TURNS)
async def test_the_answer_is_the_same_past_the_task(gateway: Bench, name: str) -> None:
    prompt, wanted = TURNS[name]
    expected = (await run(gateway, turn(prompt, **wanted))).events
    client = Client()
    await answered(gateway, client, prompt, wanted)
    check_ordering(client.events)
    assert parts_of(client.events) == parts_of(expected)
    ended, finished = client.events[-1], expected[-1]
    assert isinstance(ended, Finished) and isinstance(finished, Finished)
    assert (ended.reason, ended.stop_sequence, ended.usage) == (finished.reason, finished.stop_sequence, finished.usage)
    assert gateway.pool.in_flight == 0
    await nothing_left(gateway)


async def test_most_of_a_stream_goes_past_the_task(gateway: Bench) -> None:
    client = Client()
    await answered(gateway, client, f"{WORDS}\n@sim delay 5", {})
    assert client.past >= 8
    assert sum(isinstance(event, PartDelta) for event in client.events) == 12


async def test_a_defect_past_the_task_ends_this_turn_alone(gateway: Bench) -> None:
    with pytest.raises(ArithmeticError):
        await answered(gateway, Client(ArithmeticError("no")), f"{WORDS}\n@sim delay 5", {})
    assert gateway.pool.in_flight == 0
    await nothing_left(gateway)
    await answered(gateway, Client(), WORDS, {})


async def test_a_failure_of_lingma_comes_out_of_the_task(gateway: Bench) -> None:
    with pytest.raises(UpstreamError):
        await answered(gateway, Client(), "@sim say one two three\n@sim chunks 3\n@sim fail 500", {})
    assert gateway.pool.in_flight == 0
    await nothing_left(gateway)
