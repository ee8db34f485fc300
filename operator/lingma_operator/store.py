"""What the watches told: the latest known form of accounts, their children and their pods.

A reconcile reads from here, so that an account that is checked every half minute costs the API server next to
nothing. Only objects that carry our labels come in; the user's Secrets never do, not even by name.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lingma_contract.names import FIELD_MANAGER, Label
from lingma_operator.objects import Kind, Obj, without_managed_fields

MAX_TOMBS = 4096
"""Deleted objects to remember, by UID: more than go within the time that a list takes."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """An account by namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def key_of(obj: Obj) -> Key:
    """Namespace and name of any object."""
    return Key(obj["metadata"]["namespace"], obj["metadata"]["name"])


def account_of(obj: Obj) -> Key | None:
    """The account to which one of our labels says that the object belongs."""
    labels = obj["metadata"].get("labels") or {}
    name = labels.get(Label.ACCOUNT.value)
    if name is None or labels.get(Label.MANAGED_BY.value) != FIELD_MANAGER:
        return None
    return Key(obj["metadata"]["namespace"], name)


class Store:
    """Objects by kind, namespace and name. Older news never replaces newer."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[Key, Obj]] = {kind: {} for kind in Kind}
        self._tombs: OrderedDict[str, int] = OrderedDict()
        self._referrers: dict[Key, set[Key]] = {}
        self._reference: dict[Key, Key] = {}

    def get(self, kind: Kind, key: Key) -> Obj | None:
        """The object as last heard of."""
        return self._objects[kind].get(key)

    def keys(self, kind: Kind, namespace: str | None = None) -> list[Key]:
        """All that is known of a kind in one namespace, or in all."""
        return [key for key in self._objects[kind] if namespace is None or key.namespace == namespace]

    def put(self, kind: Kind, obj: Obj) -> bool:
        """Take in an object; False when the same or a newer form is known already."""
        key = key_of(obj)
        known = self._objects[kind].get(key)
        if known is not None and _version(known) >= _version(obj):
            return False
        if self._tombs.get(obj["metadata"]["uid"], -1) >= _version(obj):
            return False
        self._objects[kind][key] = without_managed_fields(obj)
        if kind is Kind.ACCOUNT:
            self._refer(key, obj)
        return True

    def drop(self, kind: Kind, obj: Obj) -> bool:
        """The object is gone, unless one of its name was made since. False when it was not known."""
        key, uid = key_of(obj), obj["metadata"]["uid"]
        # A list that was on its way when the object went must not bring it back.
        self._tombs[uid] = _version(obj)
        if len(self._tombs) > MAX_TOMBS:
            self._tombs.popitem(last=False)
        known = self._objects[kind].get(key)
        if known is None or known["metadata"]["uid"] != uid:
            return False
        del self._objects[kind][key]
        if kind is Kind.ACCOUNT:
            self._refer(key, {})
        return True

    def replace(self, kind: Kind, known: Iterable[Key], listed: Iterable[Obj]) -> list[Obj]:
        """Take in a whole list. `known` are the `keys` before it was asked for: of these, what is not in it is gone.

        Returns these ghosts, of whose end no watch had told.
        """
        objects = {key_of(obj): obj for obj in listed}
        ghosts = [ghost for key in known if key not in objects and (ghost := self._objects[kind].get(key)) is not None]
        for ghost in ghosts:
            self.drop(kind, ghost)
        for obj in objects.values():
            self.put(kind, obj)
        return ghosts

    def referrers(self, secret: Key) -> frozenset[Key]:
        """Accounts whose session is in the Secret of that name."""
        return frozenset(self._referrers.get(secret, ()))

    def _refer(self, account: Key, body: Mapping[str, object]) -> None:
        before = self._reference.pop(account, None)
        if before is not None:
            self._referrers[before].discard(account)
            if not self._referrers[before]:
                del self._referrers[before]
        spec = body.get("spec")
        reference = spec.get("sessionSecretRef") if isinstance(spec, dict) else None
        if isinstance(reference, dict) and "name" in reference:
            secret = Key(account.namespace, str(reference["name"]))
            self._reference[account] = secret
            self._referrers.setdefault(secret, set()).add(account)


def _version(obj: Obj) -> int:
    """Resource versions of one kind are ordered numbers: the API promises it since Kubernetes 1.35, etcd always did."""
    return int(obj["metadata"].get("resourceVersion") or 0)
