"""The two Secrets of the release: made once when they are missing, never written again.

Helm cannot make them: its `lookup` finds nothing under GitOps, and they would change at every render.
"""

import base64
import binascii
import logging
import secrets
from collections.abc import Callable

from lingma_contract.derivation import MASTER_BYTES, masters
from lingma_contract.jsonlog import event
from lingma_contract.names import APP_NAME, FIELD_MANAGER, Component, Label, MasterKey
from lingma_operator.cluster import AlreadyExists, Cluster, NotFound
from lingma_operator.objects import Kind, Obj
from lingma_operator.settings import Settings

log = logging.getLogger(__name__)

DEFAULT_KEY_ID = "default"
REREAD_SECONDS = 60.0
"""How long a read master is used: after a rotation, all credentials are new within this and one recheck."""


class MasterInvalid(ValueError):
    """The master Secret holds no usable master; the message shows none of it."""


async def ensure_secrets(cluster: Cluster, settings: Settings) -> None:
    """Make the master Secret, and the API key Secret if the operator is to."""
    await _ensure(cluster, settings, settings.master_secret, {MasterKey.CURRENT: secrets.token_urlsafe(MASTER_BYTES)})
    if settings.api_keys_secret:
        key = f"sk-lingma-{secrets.token_urlsafe(24)}"
        await _ensure(cluster, settings, settings.api_keys_secret, {DEFAULT_KEY_ID: key})


async def _ensure(cluster: Cluster, settings: Settings, name: str, values: dict[str, str]) -> None:
    try:
        await cluster.get(Kind.SECRET, settings.namespace, name)
        return
    except NotFound:
        event(log, "release secret is missing", secret=name, namespace=settings.namespace)
    secret: Obj = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": settings.namespace,
            "labels": {
                Label.NAME.value: APP_NAME,
                Label.COMPONENT.value: Component.OPERATOR.value,
                Label.MANAGED_BY.value: FIELD_MANAGER,
            },
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }
    try:
        await cluster.create(secret)
    except AlreadyExists:
        return
    event(log, "release secret made", secret=name, namespace=settings.namespace, keys=sorted(values))


class Masters:
    """The master secrets, read by the API and kept for a minute."""

    def __init__(self, cluster: Cluster, settings: Settings, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._settings = settings
        self._clock = clock
        self._held: tuple[float, tuple[bytes, ...]] | None = None

    async def current(self) -> tuple[bytes, ...]:
        """The masters in use, the current one first.

        Raises:
            MasterInvalid: the Secret holds none.
            ApiError: it cannot be read.
        """
        if self._held is not None and self._clock() < self._held[0]:
            return self._held[1]
        name, namespace = self._settings.master_secret, self._settings.namespace
        try:
            secret = await self._cluster.get(Kind.SECRET, namespace, name)
        except NotFound:
            await ensure_secrets(self._cluster, self._settings)
            secret = await self._cluster.get(Kind.SECRET, namespace, name)
        try:
            found = masters({key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()})
        except (ValueError, binascii.Error) as error:
            raise MasterInvalid(f'Secret "{name}" in namespace "{namespace}": {error}') from None
        self._held = (self._clock() + REREAD_SECONDS, found)
        return found
