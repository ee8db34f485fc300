"""Stop sequences and max_tokens, through a simulated Lingma that is stopped when the answer is cut."""

import pytest

from lingma_gateway.events import FinishReason
from lingma_gateway.tokens import estimate
from tests.lingma_gateway.answering.support import nothing_left, run, turn
from tests.matrix.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="package")

ENDLESS = "@sim say one two three four five six seven eight nine ten\n@sim chunks 12\n@sim hang"
"""After its answer it never ends: only a stop does."""


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stop_sequence_cuts_the_answer_and_stops_lingma(gateway: Bench, stream: bool) -> None:
    await gateway.forget_frames()
    ran = await run(gateway, turn(ENDLESS, stream=stream, stop=(" four", "never")))
    assert ran.text == "one two three"
    assert ran.finished.reason is FinishReason.STOP_SEQUENCE
    assert ran.finished.stop_sequence == " four"
    assert len(await gateway.received("chat/stop")) == 1
    await nothing_left(gateway)


@pytest.mark.parametrize("stream", [True, False])
async def test_max_tokens_cuts_the_answer_and_stops_lingma(gateway: Bench, stream: bool) -> None:
    await gateway.forget_frames()
    ran = await run(gateway, turn(ENDLESS, stream=stream, max_tokens=4))
    assert ran.text.split() == ["one", "two", "three", "four"][: len(ran.text.split())]
    assert 2 <= estimate(ran.text) <= 4
    assert ran.finished.reason is FinishReason.LENGTH
    assert ran.finished.usage.output_tokens <= 4
    assert len(await gateway.received("chat/stop")) == 1
    await nothing_left(gateway)


async def test_reasoning_counts_towards_max_tokens(gateway: Bench) -> None:
    ran = await run(gateway, turn("@sim think " + "thought " * 20 + "\n@sim say never said", max_tokens=6))
    assert ran.text == ""
    assert ran.finished.reason is FinishReason.LENGTH
    assert ran.finished.usage.reasoning_tokens == ran.finished.usage.output_tokens > 0


async def test_an_answer_within_its_limits_is_whole_and_lingma_is_not_stopped(gateway: Bench) -> None:
    await gateway.forget_frames()
    ran = await run(gateway, turn("@sim say one two\n@sim chunks 3", stop=("three",), max_tokens=50))
    assert ran.text == "one two"
    assert ran.finished.reason is FinishReason.STOP
    assert (await gateway.control("GET", "/frames?direction=in&method=chat/stop"))["frames"] == []


async def test_lingmas_own_count_of_tokens_is_told_with_our_estimate_of_the_reasoning(gateway: Bench) -> None:
    usage = (await run(gateway, turn("@sim think so so so\n@sim say one two"))).finished.usage
    assert usage.estimated is False
    assert usage.reasoning_tokens == estimate("so so so")


async def test_a_plain_answer_that_lingma_replaces_is_the_last_one(gateway: Bench) -> None:
    ran = await run(gateway, turn("@sim say one two\n@sim fault overwrite=replace", stream=False, stop=("nine",)))
    assert ran.text == "one two"
