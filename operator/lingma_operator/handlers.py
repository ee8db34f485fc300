"""Kopf's decorators, and nothing behind them but the inbox: kopf is the watcher here, not the reconciler.

No finalizers, no timers, no index (their costs are measured): an account can be deleted while the operator is away.
"""

from typing import Any

import kopf

from lingma_contract.names import FIELD_MANAGER, GROUP, PLURAL, VERSION, Label
from lingma_operator.cluster import Connection
from lingma_operator.inbox import Inbox
from lingma_operator.objects import CHILDREN, Kind
from lingma_operator.settings import ALL_NAMESPACES, Settings

MANAGED = f"{Label.MANAGED_BY.value}={FIELD_MANAGER}"
WATCHED = (*(kind for kind in CHILDREN if kind is not Kind.SECRET), Kind.POD)
"""Kinds of which only what carries our labels is watched."""


def registry_of(inbox: Inbox, connected: Connection) -> kopf.OperatorRegistry:
    """The handlers: each hands its event to the inbox, at once and without I/O."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await _credentials(connected)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry, id="account")
    async def account(event: Any, **_: Any) -> None:
        inbox.account(event["type"], event["object"])

    @kopf.on.event("", "v1", "secrets", registry=registry, id="secret")
    async def secret(event: Any, **_: Any) -> None:
        inbox.secret(event["type"], event["object"])

    for kind in WATCHED:
        group, _, version = kind.value.api_version.rpartition("/")

        @kopf.on.event(group, version, kind.value.plural, registry=registry, id=kind.value.plural, param=kind)
        async def child(event: Any, param: Any = None, **_: Any) -> None:
            inbox.child(param, event["type"], event["object"])

    return registry


async def _credentials(connected: Connection) -> kopf.ConnectionInfo:
    header = await connected.authorization()
    scheme, _, token = (header or "").partition(" ")
    return kopf.ConnectionInfo(
        server=connected.server,
        ca_path=connected.ca_path,
        insecure=not connected.verify,
        scheme=scheme or None,
        token=token.strip() or None,
        certificate_path=connected.cert_path,
        private_key_path=connected.key_path,
    )


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf as a watcher: it posts no events, scans for nothing, and filters at the server."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    settings.watching.connect_timeout = 10
    settings.process.ultimate_exiting_timeout = 10
    for kind in WATCHED:
        group, _, version = kind.value.api_version.rpartition("/")
        settings.watching.label_selectors[kopf_selector(group, version, kind.value.plural)] = MANAGED
    # Not of our labels alone: a session Secret is the user's own. Other types, such as the large ones of Helm
    # releases and the tokens of service accounts, are none of our business.
    settings.watching.field_selectors[kopf_selector("", "v1", "secrets")] = "type=Opaque"
    return settings


def kopf_selector(group: str, version: str, plural: str) -> Any:
    """A key of kopf's selector maps, whose typing knows only pairs."""
    return (group, version, plural)


def kopf_scope(settings: Settings) -> dict[str, Any]:
    """Kopf's own arguments for the namespaces to watch."""
    if ALL_NAMESPACES in settings.watch_namespaces:
        return {"clusterwide": True}
    return {"namespaces": [namespace for namespace in settings.scope if namespace is not None]}
