"""One account: observe -> plan -> apply -> status. The only choreography; level-triggered: it may run at any time."""

import logging
from collections.abc import Callable
from dataclasses import replace

from lingma_contract.jsonlog import event
from lingma_contract.names import children_name
from lingma_operator import metrics
from lingma_operator.account import AccountInvalid, LingmaAccount, identify, parse
from lingma_operator.account import parse_status as status_in
from lingma_operator.bootstrap import MasterInvalid, Masters
from lingma_operator.cluster import Cluster, Forbidden, Immutable, Invalid, NotFound
from lingma_operator.conditions import ConditionType, status_of, status_of_invalid
from lingma_operator.credentials import contents, session_hash
from lingma_operator.gateways import Gateways
from lingma_operator.manifests import children
from lingma_operator.manifests.container import ImageMissing
from lingma_operator.objects import CHILDREN, Kind, Obj, content, kind_of
from lingma_operator.observed import Fault, Observed, Report, SessionFinding, look_at_pod, look_at_session, terminating
from lingma_operator.plan import Plan, plan
from lingma_operator.reporter import Reporter
from lingma_operator.session import Sessions, captured_digest
from lingma_operator.settings import Settings
from lingma_operator.store import Key, Store

log = logging.getLogger(__name__)

READY_SECONDS = 30.0
"""Until a Ready account is looked at again: no event tells of a login that ended."""
FIRST_SECONDS, LAST_SECONDS, GROWTH = 2.0, 10.0, 1.25
"""The same for one that is not Ready: often at first, since a person may be waiting."""


class Refused(Exception):
    """The API server refuses the account's objects; its status says so."""


class Reconciler:
    """Makes the world as the accounts say, one account at a call."""

    def __init__(
        self,
        cluster: Cluster,
        gateways: Gateways,
        store: Store,
        masters: Masters,
        settings: Settings,
        now: Callable[[], str],
    ) -> None:
        self._cluster, self._gateways, self._store = cluster, gateways, store
        self._masters, self._settings, self._now = masters, settings, now
        self._sessions = Sessions(cluster, gateways, store)
        self._reporter = Reporter(cluster, store, settings.pod_name, now)
        self._verified: dict[Key, dict[Kind, str]] = {}
        self._pauses: dict[Key, tuple[str, float]] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Converge one account. Returns the seconds after which to look again; None when it is gone.

        Raises:
            ApiError: the API server did not answer, or not as hoped: come back later.
            Refused: it will not take the objects; the status says why.
        """
        body = self._store.get(Kind.ACCOUNT, key)
        if body is None or terminating(body):
            self._forget(key)
            return None
        try:
            account = parse(body)
        except AccountInvalid as error:
            status = status_of_invalid(identify(body), status_in(body), str(error), self._now())
            await self._reporter.report(identify(body), status_in(body), status)
            return READY_SECONDS
        observed = await self._converge(key, await self._observe(account))
        if observed.fault is None and captured_digest(observed) is not None:
            await self._sessions.carry(observed, await self._masters.current())
        status = status_of(observed, self._now())
        if not await self._reporter.report(account.identity, account.status, status):
            self._forget(key)
            return None
        if observed.fault is not None:
            raise Refused(observed.fault.reason)
        ready = status.condition(ConditionType.READY)
        settled = observed.serving or account.spec.suspend
        return self._pause(key, None if settled or ready is None else ready.reason)

    async def _observe(self, account: LingmaAccount) -> Observed:
        identity, reference = account.identity, account.spec.session_secret_ref
        named = Key(identity.namespace, children_name(identity.name))
        live: dict[Kind, Obj] = {}
        for kind in CHILDREN:
            # The watch shows only what carries our labels: before the first apply, see whose the name is.
            child = self._store.get(kind, named) or await self._get(kind, named)
            if child is not None:
                live[kind] = child
        secret = await self._get(Kind.SECRET, Key(identity.namespace, reference.name)) if reference else None
        pod_body = self._store.get(Kind.POD, Key(named.namespace, f"{named.name}-0"))
        pod = look_at_pod(pod_body) if pod_body is not None else None
        asked = pod is not None and pod.answers and pod.address is not None
        report = await self._gateways.ask(pod.address) if asked and pod and pod.address else Report()
        session = look_at_session(reference, identity.namespace, secret, other_ways=account.spec.login.configured)
        return Observed(account=account, session=session, children=live, pod=pod, report=report)

    async def _get(self, kind: Kind, key: Key) -> Obj | None:
        try:
            return await self._cluster.get(kind, key.namespace, key.name)
        except NotFound:
            return None

    async def _converge(self, key: Key, observed: Observed) -> Observed:
        """Write what the plan says; returns what is observed after that."""
        try:
            desired = await self._desired(observed)
        except ImageMissing as error:
            return replace(observed, fault=Fault(error.reason, str(error)))
        except MasterInvalid as error:
            return replace(observed, fault=Fault("MasterSecretInvalid", str(error)))
        decided = plan(desired, observed, self._verified.get(key, {}))
        for reason in decided.reasons:
            event(log, "write", account=str(key), why=reason)
        observed = replace(observed, conflicts=decided.conflicts, waiting=decided.waiting)
        try:
            return await self._execute(key, decided, observed)
        except (Forbidden, Invalid) as error:
            return replace(observed, fault=Fault("ApplyFailed", f"the API server refuses an object: {error}"))

    async def _desired(self, observed: Observed) -> tuple[Obj, ...]:
        masters, uid = await self._masters.current(), observed.account.identity.uid
        session, live = observed.session, observed.session_hash
        if session.digest is not None:
            hashed: str | None = session_hash(masters, uid, session.digest, live)
        else:
            # A Secret that is gone or broken for a while must not take down a pod that is logged in.
            hashed = None if session.finding is SessionFinding.NOT_SET else live
        return children(observed.account, self._settings, contents(masters, uid), hashed)

    async def _execute(self, key: Key, decided: Plan, observed: Observed) -> Observed:
        live = dict(observed.children)
        for wanted in decided.apply:
            kind = kind_of(wanted)
            metrics.WRITES.labels(kind=kind.title, verb="apply").inc()
            try:
                applied = await self._cluster.apply(wanted)
            except Immutable:
                if kind not in live:
                    raise
                # Its pod lives on and is taken over by the next StatefulSet.
                event(log, "made anew", account=str(key), kind=kind.title)
                await self._cluster.delete(live.pop(kind), orphan=True)
                return replace(observed, children=live, waiting=(f'{kind.title} "{wanted["metadata"]["name"]}"',))
            self._store.put(kind, applied)
            live[kind] = applied
            self._verified.setdefault(key, {})[kind] = content(applied)
        for unwanted in decided.delete:
            metrics.WRITES.labels(kind=kind_of(unwanted).title, verb="delete").inc()
            await self._cluster.delete(unwanted)
        return replace(observed, children=live)

    def _pause(self, key: Key, trouble: str | None) -> float:
        """Until the next look, at an account whose trouble is of that reason; a new reason is news worth haste."""
        if trouble is None:
            self._pauses.pop(key, None)
            return READY_SECONDS
        reason, pause = self._pauses.get(key, (trouble, FIRST_SECONDS))
        if reason != trouble:
            pause = FIRST_SECONDS
        self._pauses[key] = (trouble, min(LAST_SECONDS, pause * GROWTH))
        return pause

    def _forget(self, key: Key) -> None:
        self._verified.pop(key, None)
        self._pauses.pop(key, None)
        self._reporter.forget(key)
