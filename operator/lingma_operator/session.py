"""The captured session: carried from the gateway that holds it to a Secret that outlives the pod.

Lingma changes a login while it runs; the user's bundle is stale then, and the work directory ends with the pod. The
user's own Secret is never written.
"""

import base64
import binascii
import logging
from collections.abc import Sequence

from lingma_contract.bundle import BundleError, unpack
from lingma_contract.jsonlog import event
from lingma_contract.names import (
    BUNDLE_KEY,
    DERIVED_FROM_KEY,
    Annotation,
    captured_secret_name,
)
from lingma_operator import metrics
from lingma_operator.account import LingmaAccount
from lingma_operator.cluster import Cluster, Forbidden, Invalid, NotFound
from lingma_operator.credentials import admin_token
from lingma_operator.gateways import GatewayRefused, Gateways
from lingma_operator.manifests.captured import captured_secret
from lingma_operator.objects import Kind, Obj
from lingma_operator.observed import CapturedSession, Observed, Ownership, SessionFinding, ownership
from lingma_operator.store import Key, Store

log = logging.getLogger(__name__)


class Sessions:
    """Keeps Secret `<account>-gateway-session` at what the gateway captured last."""

    def __init__(self, cluster: Cluster, gateways: Gateways, store: Store) -> None:
        self._cluster, self._gateways, self._store = cluster, gateways, store

    async def carry(self, observed: Observed, masters: Sequence[bytes]) -> None:
        """Write the Secret if the gateway tells of a capture that it does not hold. A failure is told and tried again.

        Raises:
            ApiUnavailable: the API server does not answer.
        """
        account, told = observed.account, captured_digest(observed)
        if told is None or observed.pod is None or observed.pod.address is None:
            return
        live = await self._live(account)
        if live is not None and (_digest(live) == told or ownership(live, account.identity) is not Ownership.OURS):
            return
        try:
            captured = await self._gateways.captured(observed.pod.address, admin_token(masters, account.identity.uid))
            wanted = checked(captured, observed)
            if wanted is None:
                return
            self._store.put(Kind.SECRET, await self._cluster.apply(captured_secret(account, wanted)))
        except (GatewayRefused, Forbidden, Invalid) as error:
            event(log, "session not kept", level=logging.WARNING, account=account.identity.name, error=str(error))
            return
        metrics.WRITES.labels(kind=Kind.SECRET.title, verb="apply").inc()
        event(log, "session kept", account=str(Key(account.identity.namespace, account.identity.name)))

    async def _live(self, account: LingmaAccount) -> Obj | None:
        named = Key(account.identity.namespace, captured_secret_name(account.identity.name))
        known = self._store.get(Kind.SECRET, named)
        if known is not None:
            return known
        try:
            return await self._cluster.get(Kind.SECRET, named.namespace, named.name)
        except NotFound:
            return None


def captured_digest(observed: Observed) -> str | None:
    """Digest of what the gateway captured last, as its health report tells."""
    health = observed.report.health
    if health is None:
        return None
    return next((one.captured for one in health.instances if one.captured is not None), None)


def checked(captured: CapturedSession, observed: Observed) -> CapturedSession | None:
    """What is to be kept: None where it derives from another bundle than the user's present one.

    Raises:
        GatewayRefused: it is no session bundle.
    """
    try:
        bundle = unpack(base64.b64decode(captured.bundle, validate=True))
    except (BundleError, binascii.Error) as error:
        raise GatewayRefused("the gateway's captured session is no session bundle") from error
    if bundle.digest != captured.digest:
        raise GatewayRefused("the gateway's captured session is not the one that it says")
    if observed.session.finding not in (SessionFinding.NOT_SET, SessionFinding.READABLE):
        return None
    return captured if captured.derived_from == observed.session.digest else None


def _digest(live: Obj) -> str | None:
    value = (live["metadata"].get("annotations") or {}).get(Annotation.CAPTURED.value)
    keys = (live.get("data") or {}).keys()
    return str(value) if value is not None and {BUNDLE_KEY, DERIVED_FROM_KEY} <= keys else None
