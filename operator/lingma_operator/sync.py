"""Lists: the first fill of the store, and every ten minutes the repair of what no watch told."""

import asyncio
import logging
import random

from lingma_contract.jsonlog import event
from lingma_contract.names import FIELD_MANAGER, Label
from lingma_operator import metrics
from lingma_operator.cluster import ApiError, Cluster
from lingma_operator.objects import CHILDREN, Kind
from lingma_operator.queue import WorkQueue
from lingma_operator.settings import Settings
from lingma_operator.store import Key, Store

log = logging.getLogger(__name__)

RESYNC_SECONDS = 600.0
RESYNC_JITTER = 0.2
PACE_SECONDS = 0.02
"""Between two accounts of a resync: at most 50 a second, so that news need not wait behind them."""


async def fill(cluster: Cluster, store: Store, settings: Settings) -> int:
    """List all that is ours into the store; returns the number of ghosts.

    Raises:
        ApiError: a list cannot be had.
    """
    ours = {Label.MANAGED_BY.value: FIELD_MANAGER}
    ghosts = 0
    for namespace in settings.scope:
        for kind in (Kind.ACCOUNT, *CHILDREN, Kind.POD):
            known = store.keys(kind, namespace)
            listed = await cluster.list(kind, namespace, {} if kind is Kind.ACCOUNT else ours)
            ghosts += len(store.replace(kind, known, listed))
    metrics.GHOSTS.inc(ghosts)
    return ghosts


async def resync(cluster: Cluster, store: Store, settings: Settings, queue: WorkQueue[Key]) -> None:
    """List anew for ever, and look at every account each time."""
    while True:
        await asyncio.sleep(RESYNC_SECONDS * random.uniform(1 - RESYNC_JITTER, 1 + RESYNC_JITTER))
        try:
            ghosts = await fill(cluster, store, settings)
        except ApiError as error:
            event(log, "resync failed", level=logging.WARNING, error=str(error))
            continue
        event(log, "resync", accounts=len(store.keys(Kind.ACCOUNT)), ghosts=ghosts)
        for key in store.keys(Kind.ACCOUNT):
            queue.add(key)
            await asyncio.sleep(PACE_SECONDS)
