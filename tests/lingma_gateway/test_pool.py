import asyncio
import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingma_contract.health import Health
from lingma_gateway.errors import NoReadyAccount, QueueFull
from lingma_gateway.lingma.instance import Instance
from lingma_gateway.pool import Pool
from tests.lingma_gateway.support_pool import Account, Clock, Turn, pool_of, queued, started, until


async def names_of(pool: Pool, count: int) -> list[str]:
    """Where so many turns go, one after the other."""
    names = []
    for _ in range(count):
        async with pool.slot() as account:
            names.append(account.name)
    return names


# Which account


async def test_accounts_take_turns_when_all_are_idle() -> None:
    pool = pool_of(Account("a"), Account("b"), Account("c"))
    assert await names_of(pool, 6) == ["a", "b", "c", "a", "b", "c"]


async def test_the_account_with_the_fewest_turns_is_next() -> None:
    busy, idle = Account("busy", slots=9), Account("idle", slots=9)
    pool = pool_of(busy, idle)
    busy.in_flight = 3
    turns = [await started(pool) for _ in range(3)]
    assert [turn.account for turn in turns] == [idle, idle, idle]
    fourth, fifth = await started(pool), await started(pool)
    assert {fourth.account, fifth.account} == {busy, idle}
    for turn in (*turns, fourth, fifth):
        await turn.end()
    assert (busy.in_flight, idle.in_flight) == (3, 0)


async def test_an_account_that_is_not_ready_gets_no_turn_while_another_is() -> None:
    pool = pool_of(Account("lost", is_ready=False), Account("ready"))
    assert await names_of(pool, 3) == ["ready"] * 3


async def test_a_full_account_is_passed_over() -> None:
    full, free = Account("full", slots=1), Account("free", slots=5)
    pool = pool_of(full, free)
    full.in_flight = 1
    free.in_flight = 3
    assert await names_of(pool, 2) == ["free"] * 2


@pytest.mark.parametrize(
    ("accounts", "message"),
    [
        ([], "no Lingma account is configured"),
        ([Account("a", is_ready=False)], "no Lingma account is ready (a: the gateway is not connected to Lingma yet)"),
    ],
)
async def test_without_a_ready_account_a_turn_is_refused_at_once_with_the_reason(
    accounts: list[Account], message: str
) -> None:
    with pytest.raises(NoReadyAccount) as caught:
        async with pool_of(*accounts).slot():
            raise AssertionError("a slot was given")
    assert caught.value.message == message
    assert caught.value.retry_after_s


async def test_the_reasons_of_many_accounts_are_cut_to_five() -> None:
    pool = pool_of(*(Account(f"account-{number}", is_ready=False) for number in range(20)))
    with pytest.raises(NoReadyAccount) as caught:
        async with pool.slot():
            raise AssertionError("a slot was given")
    assert caught.value.message.count("account-") == 5


# Who waits


async def test_those_who_wait_get_slots_in_the_order_in_which_they_came() -> None:
    pool = pool_of(Account("a", slots=1))
    running = await started(pool)
    waiting = [await queued(pool) for _ in range(3)]
    assert pool.queued == 3
    for turn in waiting:
        await running.end()
        await turn.begins()
        assert sum(other.running for other in waiting) == 1
        running = turn
    await running.end()
    assert pool.accepted == 4


async def test_a_newcomer_does_not_overtake_the_one_who_was_just_called() -> None:
    pool = pool_of(Account("a", slots=1), max_queued=1)
    running = await started(pool)
    waiting = await queued(pool)
    running.tell_to_end()
    newcomer = Turn(pool)
    await waiting.begins()
    assert not newcomer.running
    await waiting.end()
    await newcomer.begins()
    await newcomer.end()
    assert pool.rejected == 0


async def test_a_newcomer_takes_no_slot_that_belongs_to_one_who_waits() -> None:
    pool = pool_of(Account("a", slots=1), max_queued=1)
    order: list[str] = []

    async def turn(name: str) -> None:
        async with pool.slot():
            order.append(name)

    async with asyncio.TaskGroup() as tasks:
        async with pool.slot():
            tasks.create_task(turn("waiting"))
            await until(lambda: pool.queued == 1)
        # Without a break in between: the slot is free, and the one who waits has not run yet.
        await turn("newcomer")
    assert order == ["waiting", "newcomer"]


async def test_a_full_queue_refuses_at_once() -> None:
    pool = pool_of(Account("a", slots=1), max_queued=1)
    running, waiting = await started(pool), await queued(pool)
    refused = Turn(pool)
    with pytest.raises(QueueFull) as caught:
        await refused.task
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s >= 1
    assert (pool.rejected, pool.queued) == (1, 1)
    await running.end()
    await waiting.end()


@pytest.mark.parametrize("limits", [{"max_queued": 0}, {"timeout_s": 0.0}])
async def test_nobody_waits_where_there_is_no_queue(limits: dict[str, float]) -> None:
    pool = pool_of(Account("a", slots=1), **limits)  # type: ignore[arg-type]
    running = await started(pool)
    with pytest.raises(QueueFull):
        await Turn(pool).task
    await running.end()
    assert pool.rejected == 1


async def test_a_wait_that_is_too_long_ends_with_a_refusal_and_leaves_no_trace() -> None:
    pool = pool_of(Account("a", slots=1), timeout_s=0.01)
    running = await started(pool)
    with pytest.raises(QueueFull):
        await Turn(pool).task
    assert (pool.rejected, pool.queued, pool.in_flight) == (1, 0, 1)
    await running.end()
    assert await names_of(pool, 1) == ["a"]


async def test_the_longer_the_queue_and_the_turns_the_later_one_should_come_back() -> None:
    clock = Clock()
    pool = pool_of(Account("a", slots=1), max_queued=1, clock=clock)

    async def retry_after_s() -> float:
        with pytest.raises(QueueFull) as caught:
            await Turn(pool).task
        assert caught.value.retry_after_s is not None
        return caught.value.retry_after_s

    running, waiting = await started(pool), await queued(pool)
    first = await retry_after_s()
    clock.now_s += 100
    await running.end()
    await waiting.begins()
    behind = await queued(pool)
    assert await retry_after_s() > first
    await waiting.end()
    await behind.end()


async def test_whoever_stops_waiting_leaves_the_queue() -> None:
    pool = pool_of(Account("a", slots=1))
    running, leaving, waiting = await started(pool), await queued(pool), await queued(pool)
    leaving.task.cancel()
    await asyncio.gather(leaving.task, return_exceptions=True)
    assert pool.queued == 1
    await running.end()
    await waiting.begins()
    await waiting.end()
    assert pool.in_flight == 0


async def test_a_slot_goes_on_to_the_next_when_the_one_who_was_called_is_gone_in_the_same_moment() -> None:
    pool = pool_of(Account("a", slots=1))
    running, leaving, waiting = await started(pool), await queued(pool), await queued(pool)
    running.tell_to_end()
    await until(lambda: pool.queued == 1)
    assert not leaving.running
    leaving.task.cancel()
    await waiting.begins()
    assert leaving.task.cancelled()
    await waiting.end()
    assert pool.in_flight == 0


async def test_a_slot_passes_over_the_one_who_is_just_leaving() -> None:
    pool = pool_of(Account("a", slots=1))
    running, leaving, waiting = await started(pool), await queued(pool), await queued(pool)
    running.tell_to_end()
    leaving.task.cancel()
    await waiting.begins()
    assert leaving.task.cancelled()
    await waiting.end()
    assert pool.in_flight == 0


async def test_an_account_that_is_lost_in_the_moment_of_handing_over_is_not_handed_over() -> None:
    lost, other = Account("lost", slots=1), Account("other", slots=1)
    pool = pool_of(lost, other)
    on_lost, on_other, waiting = await started(pool), await started(pool), await queued(pool)
    on_lost.tell_to_end()
    await until(lambda: pool.queued == 0)
    lost.is_ready = False
    pool.changed()
    await until(lambda: pool.queued == 1)
    await on_other.end()
    await waiting.begins()
    assert waiting.account is other
    await waiting.end()
    assert pool.in_flight == 0


async def test_an_account_that_becomes_ready_serves_those_who_wait_at_once() -> None:
    full, late = Account("full", slots=1), Account("late", is_ready=False)
    pool = pool_of(full, late)
    running, waiting = await started(pool), [await queued(pool) for _ in range(3)]
    late.is_ready = True
    pool.changed()
    await waiting[1].begins()
    assert [turn.running for turn in waiting] == [True, True, False]
    for turn in (running, *waiting):
        await turn.end()


async def test_those_who_wait_are_told_when_the_last_account_is_lost() -> None:
    account = Account("a", slots=1)
    pool = pool_of(account)
    running, waiting = await started(pool), [await queued(pool) for _ in range(2)]
    account.is_ready = False
    pool.changed()
    for turn in waiting:
        with pytest.raises(NoReadyAccount):
            await turn.task
    await running.end()
    assert pool.queued == 0


# Fair between keys


async def test_one_keys_flood_does_not_starve_another() -> None:
    pool = pool_of(Account("a", slots=1))
    running = await started(pool, "flood")
    flood = [await queued(pool, "flood") for _ in range(20)]
    late = await queued(pool, "late")
    await running.end()
    await flood[0].begins()  # first in, and its key's turn
    await flood[0].end()
    await late.begins()
    assert not any(turn.running for turn in flood[1:])
    await late.end()
    for turn in flood[1:]:
        await turn.begins()
        await turn.end()
    assert (pool.in_flight, pool.queued) == (0, 0)


async def test_a_queue_that_one_key_filled_makes_room_for_another_key() -> None:
    pool = pool_of(Account("a", slots=1), max_queued=3)
    running = await started(pool, "flood")
    flood = [await queued(pool, "flood") for _ in range(3)]
    late = Turn(pool, "late")
    with pytest.raises(QueueFull):
        await flood[2].task
    assert (pool.queued, pool.rejected) == (3, 1)
    again = Turn(pool, "flood")
    with pytest.raises(QueueFull):
        await again.task
    for turn in (running, flood[0], late, flood[1]):
        await turn.begins()
        await turn.end()
    assert (pool.in_flight, pool.queued) == (0, 0)


async def test_a_place_in_a_full_queue_whose_owner_is_just_leaving_goes_to_the_newcomer() -> None:
    pool = pool_of(Account("a", slots=1), max_queued=2)
    running = await started(pool, "flood")
    first, leaving = await queued(pool, "flood"), await queued(pool, "flood")
    late = Turn(pool, "late")
    leaving.task.cancel()
    await until(lambda: leaving.task.done())
    assert leaving.task.cancelled()
    for turn in (running, first, late):
        await turn.begins()
        await turn.end()
    assert pool.rejected == 0


async def test_one_who_is_refused_is_told_when_a_slot_of_the_oldest_turn_will_be_free() -> None:
    clock = Clock()
    pool = pool_of(Account("a", slots=1), max_queued=0, clock=clock)
    for _ in range(64):
        async with pool.slot():
            clock.now_s += 40
    running = await started(pool)
    clock.now_s += 25
    with pytest.raises(QueueFull) as caught:
        await Turn(pool).task
    assert caught.value.retry_after_s == pytest.approx(15)
    await running.end()


# Every slot is given back


async def test_a_turn_that_fails_gives_its_slot_back() -> None:
    pool = pool_of(Account("a", slots=1))
    with pytest.raises(RuntimeError):
        async with pool.slot():
            raise RuntimeError("broken")
    assert pool.in_flight == 0
    assert await names_of(pool, 1) == ["a"]


actions = st.lists(
    st.tuples(st.sampled_from(["start", "start", "end", "cancel", "lose", "find", "run"]), st.integers(0, 9)),
    max_size=40,
)


@settings(max_examples=300)
@given(actions, st.integers(0, 4))
def test_after_any_storm_all_slots_are_free_and_none_was_given_twice(
    storm: list[tuple[str, int]], max_queued: int
) -> None:
    asyncio.run(_storm(storm, max_queued))


async def _storm(storm: list[tuple[str, int]], max_queued: int) -> None:
    accounts = [Account("a", slots=1), Account("b", slots=2)]
    pool = pool_of(*accounts, max_queued=max_queued)
    turns: list[Turn] = []

    def check() -> None:
        for account in accounts:
            assert 0 <= account.in_flight <= account.settings.max_in_flight
            assert sum(turn.running and turn.account is account for turn in turns) <= account.in_flight
        assert 0 <= pool.queued <= max_queued

    for action, number in storm:
        match action:
            case "start":
                turns.append(Turn(pool, f"key-{number % 3}"))
            case "end" if turns:
                turns[number % len(turns)].tell_to_end()
            case "cancel" if turns:
                turns[number % len(turns)].task.cancel()
            case "lose" | "find":
                accounts[number % 2].is_ready = action == "find"
                pool.changed()
            case _:
                await asyncio.sleep(0)
        check()
    for turn in turns:
        turn.tell_to_end()
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*(turn.task for turn in turns), return_exceptions=True)
        await pool.idle()
    allowed = (QueueFull, NoReadyAccount, asyncio.CancelledError)
    assert [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, allowed)] == []
    assert [account.in_flight for account in accounts] == [0, 0]
    assert pool.queued == 0


# Idle


async def test_a_pool_without_turns_is_idle() -> None:
    async with asyncio.timeout(5):
        await pool_of(Account("a")).idle()


async def test_the_pool_is_idle_when_the_last_turn_has_ended_and_none_waits() -> None:
    pool = pool_of(Account("a", slots=1))
    running, waiting = await started(pool), await queued(pool)
    idle = asyncio.create_task(pool.idle())
    await running.end()
    await waiting.begins()
    assert not idle.done()
    await waiting.end()
    async with asyncio.timeout(5):
        await idle


async def test_the_pool_is_idle_when_the_last_turn_ended_and_the_one_who_waited_was_refused() -> None:
    account = Account("a", slots=1)
    pool = pool_of(account)
    running, waiting = await started(pool), await queued(pool)
    account.is_ready = False
    await running.end()
    with pytest.raises(NoReadyAccount):
        await waiting.task
    async with asyncio.timeout(5):
        await pool.idle()


async def test_the_pool_is_idle_when_the_one_who_was_called_is_gone() -> None:
    pool = pool_of(Account("a", slots=1))
    running, leaving = await started(pool), await queued(pool)
    running.tell_to_end()
    await until(lambda: pool.queued == 0)
    leaving.task.cancel()
    async with asyncio.timeout(5):
        await pool.idle()
    assert pool.in_flight == 0


# Readiness


def test_a_pool_that_was_never_ready_is_not_ready() -> None:
    assert not pool_of(Account("a", is_ready=False)).ready()


def test_readiness_lingers_for_three_seconds_after_the_last_ready_account() -> None:
    clock, account = Clock(), Account("a")
    pool = pool_of(account, clock=clock)
    pool.changed()
    clock.now_s += 100  # long after anybody looked
    assert pool.ready()
    account.is_ready = False
    pool.changed()
    clock.now_s += 2.9
    assert pool.ready()
    clock.now_s += 0.2
    assert not pool.ready()
    account.is_ready = True
    assert pool.ready()


def test_readiness_counts_from_the_loss_even_if_nobody_looked_for_long_before() -> None:
    clock, account = Clock(), Account("a")
    pool = pool_of(account, clock=clock)
    pool.changed()
    clock.now_s += 100
    account.is_ready = False
    pool.changed()
    assert pool.ready()
    clock.now_s += 2.9
    pool.changed()
    assert pool.ready()
    clock.now_s += 0.2
    assert not pool.ready()


def test_the_report_counts_ready_accounts() -> None:
    report = pool_of(Account("a"), Account("b", is_ready=False)).health(draining=True)
    assert [instance.name for instance in report.instances] == ["a", "b"]
    assert report.draining
    assert Health.parse(report.as_json()) == report
    assert report.time.endswith("Z")


async def preferred(pool: Pool, name: str, suits: Callable[[Instance], bool] = lambda _: True) -> str:
    async with pool.slot(name, suits) as account:
        return account.name


async def test_the_preferred_account_is_taken_while_it_is_ready_and_has_a_free_slot() -> None:
    a, b = Account("a", 1), Account("b", 1)
    pool = pool_of(a, b)
    assert [await preferred(pool, "b") for _ in range(3)] == ["b"] * 3
    assert await preferred(pool, "gone") in ("a", "b")
    async with pool.slot("b"):
        assert await preferred(pool, "b") == "a"
    b.is_ready = False
    assert await preferred(pool, "b") == "a"


async def test_an_account_that_suits_is_taken_even_if_it_is_the_busier_one() -> None:
    pool = pool_of(Account("a"), Account("b"))
    async with pool.slot("b"), pool.slot(suits=lambda account: account.name == "b") as account:
        assert account.name == "b"


async def test_a_preference_does_not_go_before_what_suits() -> None:
    pool = pool_of(Account("a"), Account("b"))
    assert await preferred(pool, "a", lambda account: account.name == "b") == "b"


async def test_any_ready_account_is_taken_where_none_suits() -> None:
    lost = Account("b", is_ready=False)
    assert await preferred(pool_of(Account("a"), lost), "b", lambda account: account is lost) == "a"


async def test_one_who_waits_for_a_busy_account_holds_up_nobody_else() -> None:
    pool = pool_of(Account("a", 1), Account("b", 1))
    async with contextlib.AsyncExitStack() as held:
        await held.enter_async_context(pool.slot("a"))
        waiting = asyncio.create_task(preferred(pool, "a", lambda account: account.name == "a"))
        await until(lambda: pool.queued)
        assert await preferred(pool, "b") == "b"
        assert pool.queued == 1
    async with asyncio.timeout(5):
        assert await waiting == "a"


async def test_a_slot_goes_to_the_first_of_those_who_wait_for_it() -> None:
    pool = pool_of(Account("a", 1), Account("b", 1))
    order: list[str] = []

    async def wait_for(name: str, label: str) -> None:
        async with pool.slot(suits=lambda account: account.name == name):
            order.append(label)

    async with contextlib.AsyncExitStack() as held:
        for name in ("a", "b"):
            await held.enter_async_context(pool.slot(name))
        tasks = []
        for name, label in (("a", "first"), ("b", "other"), ("a", "second")):
            before = pool.queued
            tasks.append(asyncio.create_task(wait_for(name, label)))
            await until(lambda before=before: pool.queued > before)  # type: ignore[misc]
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)
    assert order.index("first") < order.index("second")
    assert pool.in_flight == pool.queued == 0


# One account in particular


async def test_a_slot_of_one_account_is_its_own() -> None:
    a, b = Account("a"), Account("b")
    pool = pool_of(a, b)
    async with pool.slot(only=b) as first, pool.slot(only=b) as second:
        assert (first.name, second.name) == ("b", "b")
        assert a.in_flight == 0


async def test_who_waits_for_a_full_account_holds_nobody_else_up() -> None:
    a, b = Account("a", slots=1), Account("b", slots=1)
    pool = pool_of(a, b)
    async with pool.slot(only=a):
        waiting = asyncio.create_task(names_of_one(pool, a))
        await until(lambda: pool.queued == 1)
        async with asyncio.timeout(5):
            assert await names_of(pool, 1) == ["b"]
        assert not waiting.done()
    assert await waiting == "a"
    assert (pool.in_flight, pool.queued) == (0, 0)


async def test_an_account_that_is_not_ready_gives_no_slot_while_another_could() -> None:
    lost = Account("a", is_ready=False)
    pool = pool_of(lost, Account("b"))
    with pytest.raises(NoReadyAccount):
        await names_of_one(pool, lost)


async def names_of_one(pool: Pool, account: Account) -> str:
    async with pool.slot(only=account) as taken:
        return taken.name
