"""The pushes of one turn."""

import asyncio

import pytest

from lingma_gateway.errors import ClientTooSlow, UpstreamLost, UpstreamTimeout
from lingma_gateway.lingma.pushes import TurnPushes
from lingma_gateway.lingma.updates import Pushed

SECONDS = 5.0


def texts(batch: list[Pushed]) -> list[str]:
    return [pushed[1]["text"] for pushed in batch if isinstance(pushed, tuple)]


def give(pushes: TurnPushes, *said: str) -> None:
    """As one read of the socket brings it."""
    for text in said:
        pushes.put(("chat/answer", {"text": text}))
    pushes.deliver()


async def test_what_arrived_and_was_not_taken_is_there_without_waiting() -> None:
    pushes = TurnPushes()
    pushes.put(("chat/process_step_callback", {"sessionId": "s-1"}))
    pushes.put(("chat/answer", {"sessionId": "s-1"}))
    pushes.fail(UpstreamLost("gone"))
    assert [pushed[0] for pushed in pushes.arrived() if isinstance(pushed, tuple)] == [
        "chat/process_step_callback",
        "chat/answer",
    ]
    assert pushes.arrived() == []


async def test_what_was_taken_has_not_arrived_again() -> None:
    pushes = TurnPushes()
    pushes.put(("chat/answer", {"text": "one"}))
    assert await pushes.next(SECONDS, "answer") == ("chat/answer", {"text": "one"})
    assert pushes.arrived() == []


async def test_one_push_can_be_taken_alone_and_the_others_stay() -> None:
    pushes = TurnPushes()
    for text in "abc":
        pushes.put(("chat/answer", {"text": text}))
    assert await pushes.next(SECONDS, "answer") == ("chat/answer", {"text": "a"})
    assert texts(await pushes.batch(SECONDS, "answer")) == ["b", "c"]


async def test_all_that_came_by_now_is_one_batch() -> None:
    pushes = TurnPushes()
    waiting = asyncio.create_task(pushes.batch(SECONDS, "answer"))
    await asyncio.sleep(0)
    give(pushes, *"abc")
    assert texts(await waiting) == ["a", "b", "c"]


async def test_an_error_comes_after_what_came_before_it_and_stays() -> None:
    pushes = TurnPushes()
    pushes.put(("chat/answer", {"text": "a"}))
    pushes.fail(UpstreamLost("first"))
    pushes.fail(UpstreamLost("second"))
    pushes.put(("chat/answer", {"text": "too late"}))
    assert await pushes.batch(SECONDS, "answer") == [("chat/answer", {"text": "a"})]
    for _ in range(2):
        with pytest.raises(UpstreamLost, match="first"):
            await pushes.batch(SECONDS, "answer")


async def test_an_error_wakes_who_waits() -> None:
    pushes = TurnPushes()
    waiting = asyncio.create_task(pushes.batch(600, "answer"))
    await asyncio.sleep(0)
    pushes.fail(UpstreamLost("gone"))
    async with asyncio.timeout(SECONDS):
        with pytest.raises(UpstreamLost):
            await waiting


async def test_a_client_that_reads_too_slowly_ends_its_turn_and_what_waited_for_it_is_dropped() -> None:
    pushes = TurnPushes(max_waiting_bytes=10)
    pushes.put(("chat/answer", {"text": "a"}), size=6)
    assert len(await pushes.batch(SECONDS, "answer")) == 1
    pushes.put(("chat/answer", {"text": "b"}), size=10)
    pushes.put(("chat/answer", {"text": "c"}), size=1)
    assert pushes.arrived() == []
    with pytest.raises(ClientTooSlow, match="10 bytes"):
        await pushes.batch(SECONDS, "answer")


async def test_one_timer_serves_a_whole_turn_and_measures_each_silence_anew() -> None:
    pushes, loop = TurnPushes(), asyncio.get_running_loop()
    began = loop.time()
    for pause_s in (0.03, 0.03, 0.03):
        loop.call_later(pause_s, give, pushes, "more")
        await pushes.batch(0.05, "answer")
    with pytest.raises(UpstreamTimeout, match=r"no more of its answer within 0.02 seconds"):
        await pushes.batch(0.02, "more of its answer")
    assert loop.time() - began > 0.1
    pushes.close()


async def test_who_is_cancelled_while_waiting_misses_nothing() -> None:
    pushes = TurnPushes()
    waiting = asyncio.create_task(pushes.batch(0.01, "answer"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.sleep(0.02)  # its time is up, and nobody waits
    pushes.put(("chat/answer", {"text": "a"}))
    assert await pushes.batch(SECONDS, "answer") == [("chat/answer", {"text": "a"})]


async def waiting_for(pushes: TurnPushes, timeout_s: float = SECONDS) -> "asyncio.Task[list[Pushed]]":
    waiting = asyncio.create_task(pushes.batch(timeout_s, "more"))
    await asyncio.sleep(0)
    return waiting


async def test_what_a_taker_takes_wakes_nobody() -> None:
    pushes, taken = TurnPushes(), list[list[Pushed]]()
    pushes.taker = taken.append
    waiting = await waiting_for(pushes)
    give(pushes, "a", "b")
    give(pushes, "c")
    await asyncio.sleep(0)
    assert [texts(each) for each in taken] == [["a", "b"], ["c"]]
    assert not waiting.done()
    pushes.fail(UpstreamLost("gone"))
    with pytest.raises(UpstreamLost):
        await waiting


@pytest.mark.parametrize("left", [0, 1, 2])
async def test_what_a_taker_leaves_is_the_next_batch_which_may_be_empty(left: int) -> None:
    pushes = TurnPushes()
    pushes.taker = lambda pushed: pushed[2 - left :]
    waiting = await waiting_for(pushes)
    give(pushes, "a", "b")
    assert texts(await waiting) == ["a", "b"][2 - left :]
    assert pushes.arrived() == []


async def test_a_taker_is_asked_only_while_somebody_waits() -> None:
    pushes, taken = TurnPushes(), list[list[Pushed]]()
    pushes.taker = taken.append
    give(pushes, "a")
    assert texts(await pushes.batch(SECONDS, "more")) == ["a"]
    assert taken == []


async def test_a_taker_that_fails_fails_who_waits_and_not_who_delivers() -> None:
    def fail(pushed: list[Pushed]) -> None:
        raise ArithmeticError("no")

    pushes = TurnPushes()
    pushes.taker = fail
    waiting = await waiting_for(pushes)
    give(pushes, "a")
    with pytest.raises(ArithmeticError):
        await waiting


async def test_what_a_taker_takes_ends_the_silence() -> None:
    pushes, loop = TurnPushes(), asyncio.get_running_loop()
    pushes.taker = lambda pushed: None
    began = loop.time()
    waiting = await waiting_for(pushes, timeout_s=0.06)
    for pause_s in (0.03, 0.06, 0.09):
        loop.call_later(pause_s, give, pushes, "more")
    with pytest.raises(UpstreamTimeout):
        await waiting
    assert loop.time() - began > 0.14
    pushes.close()
