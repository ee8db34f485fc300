"""Kubernetes objects as data: the kinds that the operator knows, and how two objects are compared."""

import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lingma_contract.names import GROUP, KIND, PLURAL, VERSION, Annotation

Obj = dict[str, Any]
"""A Kubernetes object as decoded JSON."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Where the API serves a kind."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """The URL path of one object, or of the list in `namespace` (of the whole cluster when None)."""
        root = "/apis/" if "/" in self.api_version else "/api/"
        scope = f"/namespaces/{namespace}" if namespace is not None else ""
        return f"{root}{self.api_version}{scope}/{self.plural}" + (f"/{name}" if name is not None else "")


class Kind(Enum):
    """The kinds that the operator reads or writes."""

    ACCOUNT = Resource(f"{GROUP}/{VERSION}", KIND, PLURAL)
    SERVICE_ACCOUNT = Resource("v1", "ServiceAccount", "serviceaccounts")
    SECRET = Resource("v1", "Secret", "secrets")
    SERVICE = Resource("v1", "Service", "services")
    NETWORK_POLICY = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
    STATEFUL_SET = Resource("apps/v1", "StatefulSet", "statefulsets")
    POD = Resource("v1", "Pod", "pods")
    EVENT = Resource("v1", "Event", "events")

    @property
    def title(self) -> str:
        """The kind as people write it, for example `StatefulSet`."""
        return self.value.kind


CHILDREN = (Kind.SERVICE_ACCOUNT, Kind.SECRET, Kind.SERVICE, Kind.NETWORK_POLICY, Kind.STATEFUL_SET)
"""What an account owns, in the order of applying: what the pod needs comes before the pod."""


def kind_of(obj: Obj) -> Kind:
    """The kind of an object that says its own.

    Raises:
        KeyError: the operator does not know that kind.
    """
    for kind in Kind:
        if (kind.value.api_version, kind.value.kind) == (obj["apiVersion"], obj["kind"]):
            return kind
    raise KeyError(f"{obj['apiVersion']} {obj['kind']}")


def digest(value: object) -> str:
    """A short hash of JSON data: equal data give equal hashes, whatever the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def stamped(desired: Obj) -> Obj:
    """The object with the annotation that holds the hash of the rest of it."""
    metadata = desired["metadata"]
    annotations = {**metadata.get("annotations", {}), Annotation.DESIRED_HASH.value: digest(desired)}
    return {**desired, "metadata": {**metadata, "annotations": annotations}}


def stamp(obj: Obj) -> str | None:
    """The hash that `stamped` left on an object, if any."""
    value = (obj["metadata"].get("annotations") or {}).get(Annotation.DESIRED_HASH.value)
    return str(value) if value is not None else None


def content(obj: Obj) -> str:
    """Hash of all that a person or a controller may edit: not status, not what the API server counts."""
    metadata = {key: obj["metadata"].get(key) for key in ("labels", "annotations", "ownerReferences")}
    return digest({**{key: value for key, value in obj.items() if key not in ("metadata", "status")}, "m": metadata})


def covers(live: object, desired: object) -> bool:
    """Whether all that `desired` says still stands in `live`, which may say more (defaults, fields of others).

    Lists must be of the same length: one that grew was edited.
    """
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(key in live and covers(live[key], desired[key]) for key in desired)
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(covers(a, b) for a, b in zip(live, desired, strict=True))
        )
    return live == desired


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference of the object's controller."""
    references: list[Obj] = obj["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def without_managed_fields(obj: Obj) -> Obj:
    """The object less the part that is as large as the rest and that nobody here reads."""
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}
