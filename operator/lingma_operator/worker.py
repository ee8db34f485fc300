"""Workers: take a key from the queue, reconcile it, say when it is to come back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from lingma_contract.jsonlog import event
from lingma_operator import metrics
from lingma_operator.cluster import ApiError
from lingma_operator.metrics import CONTROLLER
from lingma_operator.queue import QueueClosed, WorkQueue
from lingma_operator.reconcile import Refused
from lingma_operator.store import Key

log = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[float | None]]


async def work(queue: WorkQueue[Key], reconcile: Reconcile) -> None:
    """Work until the queue is closed; what is in flight then is finished."""
    loop = asyncio.get_running_loop()
    active = metrics.ACTIVE_WORKERS.labels(controller=CONTROLLER)
    while True:
        try:
            key, waited = await queue.get()
        except QueueClosed:
            return
        metrics.QUEUE_SECONDS.labels(name=CONTROLLER, controller=CONTROLLER).observe(waited)
        started = loop.time()
        active.inc()
        try:
            result = await _once(queue, reconcile, key)
        finally:
            active.dec()
            took = queue.done(key)
            metrics.WORK_SECONDS.labels(name=CONTROLLER, controller=CONTROLLER).observe(took)
        metrics.RECONCILE_SECONDS.labels(controller=CONTROLLER).observe(loop.time() - started)
        metrics.RECONCILES.labels(controller=CONTROLLER, result=result).inc()


async def _once(queue: WorkQueue[Key], reconcile: Reconcile, key: Key) -> str:
    """Reconcile once and schedule the next time; returns the result by controller-runtime's word for it."""
    try:
        after = await reconcile(key)
    except (ApiError, Refused) as error:
        delay = queue.retry(key)
        event(log, "reconcile failed", level=logging.WARNING, account=str(key), error=str(error), retry_in=delay)
    except Exception:
        delay = queue.retry(key)
        log.exception("reconcile crashed", extra={"fields": {"account": str(key), "retry_in": delay}})
    else:
        queue.schedule.succeeded(key)
        if after is None:
            return "success"
        queue.add_after(key, after)
        return "requeue_after"
    metrics.RECONCILE_ERRORS.labels(controller=CONTROLLER).inc()
    return "error"
