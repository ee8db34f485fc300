"""The work queue: its decisions at given times, and its waiting."""

import asyncio

import pytest

from lingma_operator.queue import CAP_SECONDS, QueueClosed, Schedule, WorkQueue


def schedule() -> Schedule[str]:
    return Schedule(jitter=lambda: 0.0)


def test_keys_come_out_in_the_order_in_which_they_went_in() -> None:
    plan = schedule()
    assert plan.add("a", 0.0)
    assert plan.add("b", 1.0)
    assert not plan.add("a", 2.0)
    assert (plan.take(5.0), plan.take(5.0), plan.take(5.0)) == (("a", 5.0), ("b", 4.0), None)


def test_a_key_is_never_in_flight_twice_and_no_news_is_lost() -> None:
    plan = schedule()
    plan.add("a", 0.0)
    plan.take(0.0)
    assert plan.add("a", 1.0)
    assert not plan.add("a", 1.5)
    assert len(plan) == 1
    assert plan.take(2.0) is None
    assert plan.done("a", 3.0) == 3.0
    assert plan.take(3.0) == ("a", 0.0)


def test_a_key_that_is_done_does_not_come_back_by_itself() -> None:
    plan = schedule()
    plan.add("a", 0.0)
    plan.take(0.0)
    plan.done("a", 1.0)
    assert plan.take(100.0) is None


def test_a_delayed_key_comes_when_it_is_due_and_the_nearest_time_counts() -> None:
    plan = schedule()
    plan.add_after("a", 10.0)
    plan.add_after("a", 20.0)
    plan.add_after("a", 5.0)
    assert plan.due() == 5.0
    assert plan.take(4.9) is None
    assert plan.take(5.5) == ("a", 0.5)
    assert plan.due() is None


def test_news_overtake_a_delay() -> None:
    plan = schedule()
    plan.add_after("a", 10.0)
    plan.add("a", 1.0)
    assert plan.due() is None
    plan.add_after("a", 3.0)
    assert plan.due() is None
    assert plan.take(1.0) == ("a", 0.0)
    plan.add("a", 2.0)
    plan.add_after("a", 9.0)
    assert plan.due() is None


def test_a_delayed_key_that_falls_due_in_flight_waits_for_its_turn() -> None:
    plan = schedule()
    plan.add("a", 0.0)
    plan.take(0.0)
    plan.add_after("a", 1.0)
    assert plan.take(2.0) is None
    plan.done("a", 3.0)
    taken = plan.take(3.0)
    assert taken is not None
    assert taken[0] == "a"


def test_a_waiting_key_does_not_hold_up_those_behind_it() -> None:
    plan = schedule()
    plan.add("a", 0.0)
    plan.take(0.0)
    plan.add_after("a", 1.0)
    plan.add("b", 1.0)
    taken = plan.take(2.0)
    assert taken is not None
    assert taken[0] == "b"


def test_failures_come_back_ever_later_up_to_five_minutes_and_success_forgets_them() -> None:
    plan = schedule()
    delays = [plan.failed("a", 0.0) for _ in range(40)]
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert delays[-1] == CAP_SECONDS
    plan.succeeded("a")
    assert plan.failed("a", 0.0) == 0.5


def test_what_failed_together_does_not_come_back_together() -> None:
    assert len({Schedule[str]().failed("a", 0.0) for _ in range(20)}) > 1


def test_the_age_of_work_in_flight_is_known() -> None:
    plan = schedule()
    plan.add("a", 0.0)
    plan.take(1.0)
    assert plan.running(4.0) == [3.0]


async def test_a_worker_waits_until_there_is_work() -> None:
    queue = WorkQueue[str]()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    async with asyncio.timeout(5):
        assert (await waiting)[0] == "a"
    assert queue.adds == 1


async def test_a_worker_waits_until_a_delay_is_over() -> None:
    queue = WorkQueue[str](schedule())
    queue.add_after("a", 0.01)
    async with asyncio.timeout(5):
        assert (await queue.get())[0] == "a"
    assert queue.retry("a") == 0.5
    assert queue.retries == 1
    assert queue.done("a") >= 0


async def test_each_key_goes_to_one_worker() -> None:
    queue = WorkQueue[int]()
    workers = [asyncio.create_task(queue.get()) for _ in range(4)]
    await asyncio.sleep(0)
    for key in range(4):
        queue.add(key)
    async with asyncio.timeout(5):
        assert sorted(key for key, _ in await asyncio.gather(*workers)) == [0, 1, 2, 3]


async def test_a_closed_queue_sends_waiting_workers_home() -> None:
    queue = WorkQueue[str]()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.close()
    async with asyncio.timeout(5):
        with pytest.raises(QueueClosed):
            await waiting
