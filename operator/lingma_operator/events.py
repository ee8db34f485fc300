"""Kubernetes Events: the sentence of a condition, at the moment when it changed. Pure."""

import secrets

from lingma_contract.names import FIELD_MANAGER
from lingma_operator.account import Identity
from lingma_operator.conditions import Transition
from lingma_operator.objects import Kind, Obj


def event_of(account: Identity, transition: Transition, instance: str, now: str) -> Obj:
    """The Event of a transition, of which `kubectl describe` shows the message."""
    resource = Kind.ACCOUNT.value
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{account.name}.{secrets.token_hex(8)}", "namespace": account.namespace},
        "involvedObject": {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": account.name,
            "namespace": account.namespace,
            "uid": account.uid,
        },
        "type": "Normal" if transition.normal else "Warning",
        "reason": transition.reason,
        "message": transition.message,
        "source": {"component": FIELD_MANAGER, "host": instance},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": instance,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
