"""The accounts and their endpoints as the cluster shows them: objects in, snapshot out, no I/O.

An account takes requests when its LingmaAccount exists, is not being deleted and not suspended, and a slice of its
own Service has an endpoint that is `serving` and not `terminating`. Not `ready`: the Service publishes addresses of
pods that are not ready, since logins need them, and `ready` is then always true.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lingma_contract import ids
from lingma_contract.names import GROUP, PLURAL, VERSION, Label, Port, children_name
from lingma_router.placement import Account

_SERVICE = "kubernetes.io/service-name"
"""Label that the control plane puts on every EndpointSlice of a Service."""


class Resource(StrEnum):
    """The kinds of objects that the directory is made of."""

    ACCOUNTS = PLURAL
    SLICES = "endpointslices"

    @property
    def group_version(self) -> str:
        """API group and version, as in `apiVersion` and in paths."""
        return f"{GROUP}/{VERSION}" if self is Resource.ACCOUNTS else "discovery.k8s.io/v1"

    @property
    def label_selector(self) -> str | None:
        """What to ask the API server for; None is everything."""
        return None if self is Resource.ACCOUNTS else Label.ACCOUNT.value


class State(StrEnum):
    """Why an account takes requests or not."""

    READY = "ready"
    NOT_READY = "not-ready"
    """No endpoint serves."""
    SUSPENDED = "suspended"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class Listed:
    """One account in a snapshot."""

    account: Account
    state: State


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All accounts at one moment."""

    accounts: Mapping[str, Listed]
    """By UID."""
    ready: Mapping[str, Account]
    """Those that take requests, by UID."""
    by_hash: Mapping[bytes, str]
    """UID by the hash that ids carry."""
    waking: Mapping[str, Account]
    """Those that take none yet, for want of a login or of a Lingma, but whose gateway has an address; by UID."""


@dataclass(frozen=True, slots=True)
class _AccountObject:
    uid: str
    suspended: bool
    deleting: bool


@dataclass(frozen=True, slots=True)
class _SliceObject:
    account: str
    hosts: tuple[str, ...]
    """Addresses of endpoints that serve and are not terminating."""
    waking: tuple[str, ...] = ()
    """Addresses of endpoints that do not serve and are not terminating."""


_Key = tuple[str, str]
"""Namespace and name."""


class Directory:
    """Applies lists and events; `snapshot` is what they amount to."""

    def __init__(self, port: int = Port.CLIENT) -> None:
        """`port` is that of every account's gateway."""
        self._port = port
        self._accounts: dict[_Key, _AccountObject] = {}
        self._slices: dict[_Key, _SliceObject] = {}
        self._snapshot: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The accounts as of the last list or event."""
        if self._snapshot is None:
            self._snapshot = self._build()
        return self._snapshot

    def replace(self, resource: Resource, namespace: str | None, objects: Iterable[Mapping[str, Any]]) -> None:
        """Take a whole list, of one namespace or of all (None): what is not in it is gone."""
        for key in [key for key in self._table(resource) if namespace in (None, key[0])]:
            del self._table(resource)[key]
        for item in objects:
            self.put(resource, item)
        self._snapshot = None

    def put(self, resource: Resource, item: Mapping[str, Any]) -> None:
        """Take an object that was added or changed. One that lacks what it must have is left out."""
        metadata = _mapping(item.get("metadata"))
        key = _key(metadata)
        if resource is Resource.ACCOUNTS:
            account = _account(metadata, _mapping(item.get("spec")))
            _set(self._accounts, key, account)
        else:
            _set(self._slices, key, _slice(metadata, item))
        self._snapshot = None

    def remove(self, resource: Resource, item: Mapping[str, Any]) -> None:
        """Take the deletion of an object."""
        self._table(resource).pop(_key(_mapping(item.get("metadata"))), None)
        self._snapshot = None

    def _table(self, resource: Resource) -> dict[_Key, Any]:
        return self._accounts if resource is Resource.ACCOUNTS else self._slices

    def _build(self) -> Snapshot:
        serving = self._hosts(lambda piece: piece.hosts)
        idle = self._hosts(lambda piece: piece.waking)
        accounts: dict[str, Listed] = {}
        waking: dict[str, Account] = {}
        for key, found in sorted(self._accounts.items()):
            state = _state(found, serving.get(key))
            address = serving[key] if state is State.READY else None
            accounts[found.uid] = Listed(Account(found.uid, *key, address), state)
            if state is State.NOT_READY and key in idle:
                waking[found.uid] = Account(found.uid, *key, idle[key])
        return Snapshot(
            accounts=accounts,
            ready={uid: listed.account for uid, listed in accounts.items() if listed.state is State.READY},
            by_hash={ids.account_hash(uid): uid for uid in accounts},
            waking=waking,
        )

    def _hosts(self, of: Callable[[_SliceObject], Iterable[str]]) -> dict[_Key, str]:
        """The first address of each account, with its port."""
        found: dict[_Key, str] = {}
        for (namespace, _slice_name), piece in sorted(self._slices.items()):
            for host in of(piece):
                found.setdefault((namespace, piece.account), f"{host}:{self._port}")
        return found


def _set(table: dict[_Key, Any], key: _Key, value: object | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _state(account: _AccountObject, host: str | None) -> State:
    if account.deleting:
        return State.DELETING
    if account.suspended:
        return State.SUSPENDED
    return State.NOT_READY if host is None else State.READY


def _account(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> _AccountObject | None:
    uid = metadata.get("uid")
    if not isinstance(uid, str) or not uid:
        return None
    return _AccountObject(
        uid=uid, suspended=spec.get("suspend") is True, deleting=metadata.get("deletionTimestamp") is not None
    )


def _slice(metadata: Mapping[str, Any], item: Mapping[str, Any]) -> _SliceObject | None:
    labels = _mapping(metadata.get("labels"))
    account = labels.get(Label.ACCOUNT)
    # The label alone may stand on any Service of the namespace; the router's token goes to the account's own.
    if not isinstance(account, str) or labels.get(_SERVICE) != children_name(account):
        return None
    found: dict[bool, list[str]] = {True: [], False: []}
    for endpoint in map(_mapping, _list(item.get("endpoints"))):
        conditions = _mapping(endpoint.get("conditions"))
        if conditions.get("terminating") is not True:
            found[conditions.get("serving") is True] += _hosts(endpoint, item.get("addressType") == "IPv6")
    return _SliceObject(account, tuple(found[True]), tuple(found[False]))


def _hosts(endpoint: Mapping[str, Any], ipv6: bool) -> list[str]:
    addresses = [address for address in _list(endpoint.get("addresses")) if isinstance(address, str)]
    return [f"[{address}]" for address in addresses] if ipv6 else addresses


def _key(metadata: Mapping[str, Any]) -> _Key:
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
