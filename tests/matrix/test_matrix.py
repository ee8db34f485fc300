"""Every fault of the simulator against both forms of a turn: what the client sees, and that nothing is left behind."""

import asyncio
import gc
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from tests.matrix.bench import ACCOUNT, PATIENCE_S, Bench, Weight, bench, eventually_empty
from tests.matrix.cells import NOT_READY, Answer, Broken, How, Left, Outcome, Row, missing
from tests.matrix.drivers import CHAT, OTHERS, Driver, rows_of_each

OTHER = "@sim say another turn\n@sim chunks 5\n@sim delay 100"

KINDS: dict[str, dict[str, Any]] = {
    "notification": {},
    "request": {"chat_ask_as": "request"},
    "patient": {"first_event_timeout": 600, "idle_timeout": 600},
}


@dataclass(frozen=True)
class Gateways:
    """One of each kind for each form of a turn, and what they weigh when nothing happens."""

    pairs: dict[str, tuple[Bench, Bench]]
    idle: Weight
    complaints: list[str]
    """What the event loop complained of: exceptions that nobody took."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateways(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateways]:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
    async with AsyncExitStack() as stack:
        pairs = {}
        for kind, settings in KINDS.items():
            plain = await stack.enter_async_context(bench(tmp_path_factory.mktemp(kind), **settings))
            stream = await stack.enter_async_context(bench(tmp_path_factory.mktemp(kind), **settings))
            pairs[kind] = (plain, stream)
            # Each dialect once: what it opens for good (the file of stored responses) is not left behind by a turn.
            for driver in (CHAT, *OTHERS):
                assert await seen(plain, "hi", False, driver) == Answer("echo: hi")
                assert await seen(stream, "hi", True, driver) == Answer("echo: hi")
        yield Gateways(pairs, Weight.now(), complaints)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("driver", "row"), rows_of_each(), ids=lambda each: each.name)
async def test_what_a_client_sees_and_that_nothing_is_left_behind(gateways: Gateways, driver: Driver, row: Row) -> None:
    plain, stream = gateways.pairs[row.gateway]
    # The two cells beside each other, on gateways of their own: most of the time is spent in waiting for silence.
    await asyncio.gather(cell(plain, driver, row, stream=False), cell(stream, driver, row, stream=True))
    await eventually_empty(partial(too_much, gateways.idle))
    complaints = list(gateways.complaints)
    gateways.complaints.clear()
    assert complaints == []


@pytest.mark.asyncio(loop_scope="module")
async def test_no_exception_was_left_that_nobody_took(gateways: Gateways) -> None:
    gc.collect()
    assert gateways.complaints == []


async def cell(gateway: Bench, driver: Driver, row: Row, *, stream: bool) -> None:
    """One cell of the matrix."""
    sessions = set((await gateway.control("GET", "/state"))["sessions"])
    outcome = await MEANWHILE[row.how](gateway, driver, row, stream)
    check(outcome, driver.expected(row.expected(stream)))
    await recover(gateway, row)
    await eventually_empty(partial(left_behind, gateway, None if row.loses_session else sessions))
    assert await next_turn(gateway, driver, stream) == Answer("echo: next")


async def next_turn(gateway: Bench, driver: Driver, stream: bool) -> Outcome:
    """The turn after. While the gateway is still looking at a login that changed twice, it says to come again."""
    deadline = time.monotonic() + PATIENCE_S
    not_ready = driver.expected(NOT_READY)
    while (outcome := await seen(gateway, "next", stream, driver)) == not_ready:
        assert time.monotonic() < deadline, "the account did not come back"
        await gateway.until_ready()
    return outcome


async def too_much(limit: Weight) -> str:
    """Tasks, files, threads and processes of the gateways that were not there before."""
    return Weight.now().excess(limit)


async def left_behind(gateway: Bench, sessions: set[str] | None) -> str:
    """Slots, calls and turns under way, and sessions upstream that were not there before."""
    state = await gateway.control("GET", "/state")
    found = {name: state[name] for name in ("turns", "unanswered") if state[name]}
    if sessions is not None and (more := set(state["sessions"]) - sessions - gateway.kept):
        found["sessions"] = more
    return gateway.busy() + (str(found) if found else "")


def test_every_fault_of_the_simulator_and_every_value_of_a_choice_has_its_cells() -> None:
    assert missing() == set()


# --- what happens around the question


async def now(gateway: Bench, driver: Driver, row: Row, stream: bool) -> Outcome:
    await gateway.switch(row.fault)
    return await seen(gateway, row.prompt, stream, driver)


async def beside(gateway: Bench, driver: Driver, row: Row, stream: bool) -> Outcome:
    await gateway.switch(row.fault)
    await gateway.forget_frames()
    other = asyncio.create_task(seen(gateway, OTHER, True, driver))
    await gateway.received("chat/ask")
    outcome = await seen(gateway, row.prompt, stream, driver)
    assert await other == Answer("another turn")
    return outcome


async def leave(gateway: Bench, driver: Driver, row: Row, stream: bool) -> Outcome:
    await gateway.switch(row.fault)
    await gateway.forget_frames()
    asking = asyncio.create_task(seen(gateway, row.prompt, stream, driver))
    (asked,) = await gateway.received("chat/ask")
    request_id = asked["message"]["params"]["requestId"]
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    stopped = await gateway.received("chat/stop", requestId=request_id)
    assert [frame["number"] > asked["number"] for frame in stopped] == [True]
    return Left()


async def reconnect(gateway: Bench, driver: Driver, row: Row, stream: bool) -> Outcome:
    await gateway.switch(row.fault)
    await gateway.control("POST", "/actions/disconnect", {})
    await gateway.until_ready(False)
    return await seen(gateway, row.prompt, stream, driver)


async def restart(gateway: Bench, driver: Driver, row: Row, stream: bool) -> Outcome:
    await crash_into(gateway, row.fault)
    return await seen(gateway, row.prompt, stream, driver)


async def restarted(gateway: Bench, driver: Driver, row: Row, stream: bool) -> Outcome:
    await crash_into(gateway, row.fault)
    await gateway.until_ready()
    return await seen(gateway, row.prompt, stream, driver)


async def logged_out(gateway: Bench, driver: Driver, row: Row, stream: bool) -> Outcome:
    await crash_into(gateway, row.fault)
    async with asyncio.timeout(15):
        while gateway.instance.health.reason.value != "NoSession":
            gateway.changed.clear()
            await gateway.changed.wait()
    return await seen(gateway, row.prompt, stream, driver)


async def expired(gateway: Bench, driver: Driver, row: Row, stream: bool) -> Outcome:
    await gateway.switch(row.fault)
    await gateway.control("POST", "/actions/rotate", {})
    await gateway.until_ready(False)
    return await seen(gateway, row.prompt, stream, driver)


async def crash_into(gateway: Bench, faults: str) -> None:
    gateway.at_start(faults)
    await gateway.control("POST", "/actions/crash", {})
    await gateway.until_ready(False)


MEANWHILE = {
    How.NOW: now,
    How.BESIDE: beside,
    How.LEAVE: leave,
    How.RECONNECT: reconnect,
    How.RESTART: restart,
    How.RESTARTED: restarted,
    How.LOGGED_OUT: logged_out,
    How.EXPIRED: expired,
}


async def recover(gateway: Bench, row: Row) -> None:
    """No faults, logged in, connected."""
    gateway.at_start("")
    if row.how not in (How.RESTART, How.RESTARTED) and "crash" not in row.fault:
        await gateway.switch()
    if row.how in (How.EXPIRED, How.LOGGED_OUT):
        await gateway.control("POST", "/actions/login", {"uid": ACCOUNT})
    if row.stuck:
        await gateway.control("POST", "/actions/disconnect", {})
        await gateway.until_ready(False)
    await gateway.until_ready()


# --- what a client sees


async def seen(gateway: Bench, prompt: str, stream: bool, driver: Driver) -> Outcome:
    """Ask, as a client of a dialect does."""
    body = driver.body(prompt, stream)
    async with gateway.client() as client, client.stream("POST", driver.path, json=body) as response:
        assert response.headers["x-request-id"]
        if response.status_code != 200:
            refusal = json.loads(await response.aread())
            assert refusal["request_id"] == response.headers["x-request-id"]
            return driver.refused(response, refusal)
        assert response.headers["x-lingma-account"] == ACCOUNT
        assert response.headers["x-lingma-model"] == "org_auto"
        if stream:
            assert response.headers["content-type"] == "text/event-stream"
            return await driver.streamed(response)
        return driver.answered(json.loads(await response.aread()))


def check(outcome: Outcome, expected: Outcome) -> None:
    if isinstance(expected, Answer | Broken) and isinstance(expected.text, re.Pattern):
        assert type(outcome) is type(expected)
        assert isinstance(outcome, Answer | Broken)
        assert isinstance(outcome.text, str)
        assert expected.text.fullmatch(outcome.text), outcome
    else:
        assert outcome == expected
