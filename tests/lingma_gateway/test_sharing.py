"""Answers that are made once for all who ask with the same `Idempotency-Key`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from lingma_gateway.errors import GatewayError, IdempotencyKeyReused, NoReadyAccount, UpstreamLost
from lingma_gateway.record import TurnRecord
from lingma_gateway.sharing import Claim, Making, SharedAnswer, SharedAnswers, SharingSettings
from tests.lingma_gateway.support_pool import Clock, until

CLAIM = Claim("key-1", b"digest")


class Script:
    """An answer that gives what it is told to give, when it is told."""

    media_type = "text/event-stream"

    def __init__(self) -> None:
        self._said: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self.closed = False
        self.failures = 0

    def say(self, *said: bytes | BaseException | None) -> None:
        """Pieces, an error, or the end."""
        for each in said:
            self._said.put_nowait(each)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            while (said := await self._said.get()) is not None:
                if isinstance(said, BaseException):
                    raise said
                yield said
        finally:
            self.closed = True

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        self.failures += 1
        return f"failed {self.failures}: {error.message} {request_id}".encode()


ended: list[SharedAnswer] = []


def share(store: SharedAnswers, script: Script, claim: Claim = CLAIM, key_id: str = "team-a") -> SharedAnswer:
    made = store.share(key_id, claim, Making(script, TurnRecord("req-1", key_id), lambda: {}, ended.append))
    assert made is not None
    return made


@pytest.fixture(autouse=True)
def nothing_ended() -> None:
    ended.clear()


@pytest.fixture
async def store() -> AsyncIterator[SharedAnswers]:
    made = SharedAnswers(SharingSettings(max_answers=2, max_bytes=10, lifetime_s=600, grace_s=60))
    yield made
    await made.close()


async def whole(shared: SharedAnswer) -> bytes:
    return b"".join([data async for data in shared.chunks()])


async def test_one_who_joins_gets_the_answer_from_its_beginning_and_as_it_comes(store: SharedAnswers) -> None:
    script = Script()
    first = share(store, script)
    leading = asyncio.create_task(whole(first))
    script.say(b"one ")
    await until(lambda: first.size == 4)
    joined = store.find("team-a", CLAIM)
    assert joined is first
    following = asyncio.create_task(whole(joined))
    script.say(b"two", None)
    assert await leading == await following == b"one two"
    assert ended == [first]


async def test_an_answer_that_has_ended_is_repeated(store: SharedAnswers) -> None:
    script = Script()
    script.say(b"one", b"two", None)
    first = share(store, script)
    assert await whole(first) == b"onetwo"
    assert store.find("team-a", CLAIM) is first
    assert await whole(first) == b"onetwo"


async def test_another_request_under_the_same_key_is_refused(store: SharedAnswers) -> None:
    share(store, Script())
    with pytest.raises(IdempotencyKeyReused) as caught:
        store.find("team-a", Claim("key-1", b"other"))
    assert caught.value.param == "Idempotency-Key"


async def test_the_keys_of_one_client_are_not_those_of_another(store: SharedAnswers) -> None:
    share(store, Script())
    assert store.find("team-b", CLAIM) is None


async def test_a_failure_is_told_to_all_who_wait_and_not_repeated(store: SharedAnswers) -> None:
    script = Script()
    first = share(store, script)
    waiting = [asyncio.create_task(whole(first)) for _ in range(2)]
    script.say(b"one", UpstreamLost("gone"))
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [UpstreamLost, UpstreamLost]
    assert store.find("team-a", CLAIM) is None
    assert first.fail(UpstreamLost("gone"), "req-2") == first.fail(UpstreamLost("gone"), "req-3")
    assert script.failures == 1


async def test_a_defect_is_an_error_of_the_gateway(store: SharedAnswers, caplog: pytest.LogCaptureFixture) -> None:
    script = Script()
    script.say(RuntimeError("a defect"))
    with pytest.raises(GatewayError, match="the gateway failed"):
        await whole(share(store, script))
    assert "a defect" in caplog.text


async def test_one_who_leaves_does_not_stop_the_answer_of_another(store: SharedAnswers) -> None:
    script = Script()
    first = share(store, script)
    leaving, staying = asyncio.create_task(whole(first)), asyncio.create_task(whole(first))
    await until(lambda: first._followers == 2)
    leaving.cancel()
    await until(leaving.done)
    script.say(b"all of it", None)
    assert await staying == b"all of it"
    assert not first.cancelled


async def test_an_answer_goes_on_for_a_while_after_its_last_client_left(store: SharedAnswers) -> None:
    script = Script()
    first = share(store, script)
    leaving = asyncio.create_task(whole(first))
    await until(lambda: first._followers == 1)
    leaving.cancel()
    await until(leaving.done)
    retry = store.find("team-a", CLAIM)
    assert retry is first
    script.say(b"all of it", None)
    assert await whole(retry) == b"all of it"


async def test_an_answer_that_nobody_comes_back_for_is_stopped() -> None:
    store = SharedAnswers(SharingSettings(grace_s=0))
    script = Script()
    first = share(store, script)
    leaving = asyncio.create_task(whole(first))
    await until(lambda: first._followers == 1)
    leaving.cancel()
    await until(lambda: ended)
    assert script.closed
    assert first.cancelled
    assert store.find("team-a", CLAIM) is None
    assert len(store) == 0


async def test_an_answer_that_is_being_stopped_is_not_joined(store: SharedAnswers) -> None:
    first = share(store, Script())
    first._give_up()
    assert store.find("team-a", CLAIM) is None
    second = share(store, Script())
    await until(lambda: ended)
    assert store.find("team-a", CLAIM) is second


async def test_ten_minutes_after_its_end_an_answer_is_forgotten() -> None:
    clock = Clock()
    store = SharedAnswers(SharingSettings(lifetime_s=600), clock)
    script = Script()
    first = share(store, script)
    clock.now_s += 3600  # it takes its time
    assert store.find("team-a", CLAIM) is first
    script.say(b"one", None)
    await whole(first)
    clock.now_s += 599
    assert store.find("team-a", CLAIM) is first
    clock.now_s += 2
    assert store.find("team-a", CLAIM) is None


async def test_the_oldest_that_has_ended_makes_room_and_those_that_run_do_not(store: SharedAnswers) -> None:
    running = share(store, Script(), Claim("running", b""))
    script = Script()
    script.say(b"one", None)
    await whole(share(store, script, Claim("ended", b"")))
    third = share(store, Script(), Claim("third", b""))
    assert store.find("team-a", Claim("ended", b"")) is None
    assert store.find("team-a", Claim("running", b"")) is running
    making = Making(Script(), TurnRecord("req-1", "team-a"), lambda: {}, ended.append)
    assert store.share("team-a", Claim("fourth", b""), making) is None
    assert store.find("team-a", Claim("third", b"")) is third


async def test_answers_beyond_the_bytes_are_forgotten_even_one_that_runs_and_its_client_gets_all_of_it(
    store: SharedAnswers,
) -> None:
    script = Script()
    long = share(store, script, Claim("long", b""))
    script.say(b"more than ten bytes")
    await until(lambda: long.size)
    share(store, Script(), Claim("next", b""))
    assert store.find("team-a", Claim("long", b"")) is None
    script.say(b" and more", None)
    assert await whole(long) == b"more than ten bytes and more"


async def test_at_the_end_of_the_process_every_answer_ends(store: SharedAnswers) -> None:
    script = Script()
    first = share(store, script)
    waiting = asyncio.create_task(whole(first))
    await until(lambda: first._followers == 1)
    await store.close()
    with pytest.raises(NoReadyAccount):
        await waiting
    assert script.closed
    assert ended == [first]


async def test_an_answer_that_is_given_up_before_it_began_has_ended_too(store: SharedAnswers) -> None:
    first = share(store, Script())
    await first.give_up()
    await until(lambda: ended)
    assert store.find("team-a", CLAIM) is None
    with pytest.raises(NoReadyAccount):
        await whole(first)


async def test_an_answer_that_waits_for_a_client_to_come_back_ends_with_the_process(store: SharedAnswers) -> None:
    script = Script()
    first = share(store, script)
    leaving = asyncio.create_task(whole(first))
    await until(lambda: first._followers == 1)
    leaving.cancel()
    await until(leaving.done)
    await store.close()
    assert script.closed
    assert first.cancelled
