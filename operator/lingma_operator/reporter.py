"""Tells the world about an account: its status, an Event when that changed, a gauge."""

import logging
from collections.abc import Callable

from lingma_contract.jsonlog import event
from lingma_operator import metrics
from lingma_operator.account import Identity, LingmaAccountStatus
from lingma_operator.cluster import ApiError, Cluster, NotFound
from lingma_operator.conditions import ConditionType, Transition, transitions
from lingma_operator.events import event_of
from lingma_operator.objects import Kind
from lingma_operator.store import Key, Store

log = logging.getLogger(__name__)


class Reporter:
    """Writes statuses that differ from what is known."""

    def __init__(self, cluster: Cluster, store: Store, pod_name: str, now: Callable[[], str]) -> None:
        self._cluster, self._store, self._pod_name, self._now = cluster, store, pod_name, now

    async def report(self, account: Identity, before: LingmaAccountStatus, after: LingmaAccountStatus) -> bool:
        """Write the status if it differs, then tell of it; False when the account is gone."""
        ready = after.condition(ConditionType.READY)
        metrics.READINESS.set(str(Key(account.namespace, account.name)), ready is not None and ready.status == "True")
        if after == before:
            return True
        metrics.WRITES.labels(kind=Kind.ACCOUNT.title, verb="status").inc()
        resource = Kind.ACCOUNT.value
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            # The UID keeps the status of a deleted account off its successor.
            "metadata": {"name": account.name, "namespace": account.namespace, "uid": account.uid},
            "status": after.as_json(),
        }
        try:
            self._store.put(Kind.ACCOUNT, await self._cluster.apply_status(body))
        except NotFound:
            return False
        for transition in transitions(before, after):
            await self._tell(account, transition)
        return True

    def forget(self, key: Key) -> None:
        """The account is gone."""
        metrics.READINESS.forget(str(key))

    async def _tell(self, account: Identity, transition: Transition) -> None:
        event(log, "transition", account=f"{account.namespace}/{account.name}", reason=transition.reason)
        try:
            await self._cluster.create(event_of(account, transition, self._pod_name, self._now()))
        except ApiError as error:
            # An Event is a courtesy: the condition says the same.
            event(log, "event not written", level=logging.WARNING, error=str(error))
