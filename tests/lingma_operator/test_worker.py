"""Workers: what a reconcile answers decides when its key comes back."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from lingma_operator import metrics
from lingma_operator.cluster import ApiUnavailable
from lingma_operator.queue import Schedule, WorkQueue
from lingma_operator.store import Key
from lingma_operator.worker import work

ALICE = Key("team", "alice")


async def after_one(reconcile: Callable[[Key], Awaitable[float | None]]) -> WorkQueue[Key]:
    """The queue after one reconcile."""
    queue = WorkQueue[Key](Schedule(jitter=lambda: 0.0), clock=lambda: 100.0)
    queue.add(ALICE)

    async def once(key: Key) -> float | None:
        queue.close()
        return await reconcile(key)

    async with asyncio.timeout(5):
        await work(queue, once)
    return queue


async def test_a_reconcile_that_asks_for_it_comes_back() -> None:
    async def reconcile(_: Key) -> float | None:
        return 30.0

    assert (await after_one(reconcile)).schedule.due() == 130.0


async def test_a_reconcile_of_what_is_gone_does_not_come_back() -> None:
    async def reconcile(_: Key) -> float | None:
        return None

    assert (await after_one(reconcile)).schedule.due() is None


@pytest.mark.parametrize("error", [ApiUnavailable("no answer"), ZeroDivisionError("a bug")])
async def test_a_failure_comes_back_by_backoff_and_stops_nothing(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def reconcile(_: Key) -> float | None:
        raise error

    queue = await after_one(reconcile)
    assert queue.schedule.due() == 100.5
    assert queue.retries == 1
    assert "reconcile" in caplog.text


async def test_the_queue_shows_itself_by_controller_runtimes_names() -> None:
    queue = WorkQueue[Key](clock=lambda: 10.0)
    queue.add(ALICE)
    queue.add(Key("team", "bob"))
    await queue.get()
    shown = {
        sample.name: sample.value
        for family in metrics.QueueMetrics(queue, lambda: 12.0).collect()
        for sample in family.samples
    }
    assert shown == {
        "workqueue_depth": 1,
        "workqueue_unfinished_work_seconds": 2,
        "workqueue_longest_running_processor_seconds": 2,
        "workqueue_adds_total": 2,
        "workqueue_retries_total": 0,
    }
