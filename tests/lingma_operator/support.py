"""What the tests of the operator share: one account, its objects, a world to run it in."""

import base64
from typing import Any

from lingma_contract.bundle import Bundle, pack
from lingma_contract.health import Health, InstanceHealth, LoginReason, State
from lingma_operator.account import LingmaAccount, parse
from lingma_operator.credentials import contents
from lingma_operator.manifests import children
from lingma_operator.objects import Kind, Obj, kind_of
from lingma_operator.observed import Observed, Pod, Report, Session, SessionFinding
from lingma_operator.settings import Settings

MASTER = b"m" * 32
NOW = "2026-11-21T10:00:00Z"
LATER = "2026-11-21T10:05:00Z"
PLANTED = b"PLANTED-SECRET-CONTENT"


def settings(**changes: Any) -> Settings:
    environment = {
        "POD_NAMESPACE": "lingma",
        "LINGMA_WATCH_NAMESPACES": "team",
        "LINGMA_GATEWAY_IMAGE": "example.com/gateway:1",
        "LINGMA_SIMULATOR": "true",
        "LINGMA_API_KEYS_SECRET": "lingma-api-keys",
        "LINGMA_ROUTER_LABELS": '{"app": "router"}',
        "LINGMA_OPERATOR_LABELS": '{"app": "operator"}',
        "LINGMA_ADMIN_PORT": "0",
    }
    return Settings.from_environment({**environment, **changes})


def account_body(name: str = "alice", uid: str = "uid-alice", **spec: Any) -> Obj:
    metadata = {"name": name, "namespace": "team", "uid": uid, "generation": 3, "resourceVersion": "1"}
    return {"apiVersion": "lingma.dev/v1alpha1", "kind": "LingmaAccount", "metadata": metadata, "spec": spec}


def account(name: str = "alice", **spec: Any) -> LingmaAccount:
    return parse(account_body(name, **spec))


def desired(of: LingmaAccount, session_hash: str | None = None) -> tuple[Obj, ...]:
    return children(of, settings(), contents([MASTER], of.identity.uid), session_hash)


def live(obj: Obj, **metadata: Any) -> Obj:
    """The object as the API server would hold it."""
    return {**obj, "metadata": {**obj["metadata"], "uid": "child", "resourceVersion": "5", "generation": 1, **metadata}}


def stateful_set_status(revision: str = "r1") -> Obj:
    return {"observedGeneration": 1, "updateRevision": revision}


def live_children(of: LingmaAccount, session_hash: str | None = None) -> dict[Kind, Obj]:
    found = {kind_of(child): live(child) for child in desired(of, session_hash)}
    found[Kind.STATEFUL_SET]["status"] = stateful_set_status()
    return found


def instance(
    *,
    logged_in: bool = True,
    ready: bool = True,
    state: State = State.READY,
    reason: LoginReason = LoginReason.LOGGED_IN,
    message: str = "",
) -> InstanceHealth:
    return InstanceHealth("lingma", state, 0, ready, logged_in, reason, message)


def report(*instances: InstanceHealth, draining: bool = False) -> Report:
    return Report(health=Health(NOW, instances, draining))


def logged_out(reason: LoginReason, message: str = "log in again") -> Report:
    return report(instance(logged_in=False, ready=False, reason=reason, message=message))


def pod(**changes: Any) -> Pod:
    whole: dict[str, Any] = {
        "name": "alice-gateway-0",
        "address": "10.0.0.7",
        "ready": True,
        "terminating": False,
        "gateway_runs": True,
        "revision": "r1",
        "fault": None,
    }
    return Pod(**{**whole, **changes})


READABLE = Session(SessionFinding.READABLE, "the session bundle is readable; Lingma has not confirmed it yet", "d1")


def observed(**changes: Any) -> Observed:
    """An account that serves, but for `changes`."""
    of = changes.pop("account", None) or account(sessionSecretRef={"name": "alice-bundle"})
    whole: dict[str, Any] = {
        "account": of,
        "session": READABLE,
        "children": live_children(of),
        "pod": pod(),
        "report": report(instance()),
    }
    return Observed(**{**whole, **changes})


def bundle_secret(name: str = "alice-bundle", user: bytes = PLANTED, key: str = "bundle") -> Obj:
    packed = pack(Bundle({"id": b"id", "user": user}))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": name, "namespace": "team"},
        "data": {key: base64.b64encode(packed).decode()},
    }


def pod_body(revision: str = "r1", *, ready: bool = True, runs: bool = True) -> Obj:
    labels = {
        "app.kubernetes.io/managed-by": "lingma-operator",
        "lingma.dev/account": "alice",
        "controller-revision-hash": revision,
    }
    state: Obj = {"running": {}} if runs else {"waiting": {"reason": "PodInitializing"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alice-gateway-0", "namespace": "team", "labels": labels},
        "status": {
            "podIP": "10.0.0.7",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "gateway", "state": state}],
        },
    }
