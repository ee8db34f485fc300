"""Observed: what the operator sees of one account. A snapshot, and what can be said by looking at it alone."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from lingma_contract.bundle import BundleError, unpack
from lingma_contract.health import Health
from lingma_contract.names import FIELD_MANAGER, Annotation, Container, Label
from lingma_operator.account import Identity, LingmaAccount, SessionSecretRef
from lingma_operator.objects import Kind, Obj, controller_of


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a person has to know: one CamelCase word, and a sentence that says what to do."""

    reason: str
    message: str


class SessionFinding(Enum):
    """What became of looking for the user's session bundle; the value is the reason of condition SessionValid."""

    NOT_SET = "NoSessionSecret"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_KEY_MISSING = "SecretKeyMissing"
    BUNDLE_INVALID = "BundleInvalid"
    READABLE = "NotVerified"


@dataclass(frozen=True, slots=True)
class Session:
    """The user's session bundle, by digest: its content is forgotten as soon as it was looked at."""

    finding: SessionFinding
    message: str
    digest: str | None = None


def look_at_session(
    reference: SessionSecretRef | None, namespace: str, secret: Obj | None, *, other_ways: bool = False
) -> Session:
    """What the user's Secret holds. No message shows any of its content. `other_ways`: spec.login has some."""
    if reference is None and other_ways:
        return Session(SessionFinding.NOT_SET, "spec.sessionSecretRef is not set: the account logs in by spec.login")
    if reference is None:
        return Session(
            SessionFinding.NOT_SET,
            "spec.sessionSecretRef is not set: the account waits for a login; "
            "to give it one, put a session bundle in a Secret and name it there",
        )
    where = f'Secret "{reference.name}" in namespace "{namespace}"'
    if secret is None:
        return Session(SessionFinding.SECRET_NOT_FOUND, f'{where} does not exist: create it with key "{reference.key}"')
    value = (secret.get("data") or {}).get(reference.key)
    if value is None:
        return Session(
            SessionFinding.SECRET_KEY_MISSING,
            f'{where} has no key "{reference.key}": add it, or name the right one in spec.sessionSecretRef.key',
        )
    try:
        bundle = unpack(base64.b64decode(value, validate=True))
    except (BundleError, binascii.Error) as error:
        said = str(error) if isinstance(error, BundleError) else "the session bundle is no base64"
        return Session(SessionFinding.BUNDLE_INVALID, f'{where}, key "{reference.key}": {said}')
    return Session(
        SessionFinding.READABLE, "the session bundle is readable; Lingma has not confirmed it yet", bundle.digest
    )


class Ownership(Enum):
    """Whose an object of one of our names is."""

    OURS = "ours"
    PREDECESSOR = "predecessor"
    """Of a deleted account of the same name: the garbage collector has it on its list."""
    FOREIGN = "foreign"


def ownership(child: Obj, account: Identity) -> Ownership:
    """Whose the object is. One without a controller is ours only if it carries our labels."""
    controller = controller_of(child)
    if controller is None:
        labels = child["metadata"].get("labels") or {}
        marked = labels.get(Label.MANAGED_BY.value) == FIELD_MANAGER and labels.get(Label.ACCOUNT.value) == account.name
        return Ownership.OURS if marked else Ownership.FOREIGN
    if controller.get("uid") == account.uid:
        return Ownership.OURS
    same = (controller.get("kind"), controller.get("name")) == (Kind.ACCOUNT.title, account.name)
    return Ownership.PREDECESSOR if same else Ownership.FOREIGN


def terminating(obj: Obj) -> bool:
    """Whether the object is on its way out."""
    return obj["metadata"].get("deletionTimestamp") is not None


@dataclass(frozen=True, slots=True)
class Pod:
    """The account's pod."""

    name: str
    address: str | None
    ready: bool
    """The kubelet says so: the gateway's /readyz answered 200."""
    terminating: bool
    gateway_runs: bool
    revision: str | None
    fault: Fault | None
    bootstrapping: bool = False
    """Lingma is being obtained, and has not failed."""

    @property
    def answers(self) -> bool:
        """Whether it is worth asking the gateway."""
        return self.gateway_runs and self.address is not None and not self.terminating


_STUCK = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Reasons of a waiting container that do not pass by waiting."""


def look_at_pod(pod: Obj) -> Pod:
    """The parts of a pod that conditions speak about."""
    status = pod.get("status") or {}
    name = pod["metadata"]["name"]
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return Pod(
        name=name,
        address=status.get("podIP"),
        ready=any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions") or []),
        terminating=terminating(pod),
        gateway_runs=any(
            item["name"] == Container.GATEWAY and "running" in (item.get("state") or {}) for item in containers
        ),
        revision=(pod["metadata"].get("labels") or {}).get("controller-revision-hash"),
        fault=_failed_bootstrap(containers) or _stuck_container(name, containers) or _unschedulable(status),
        bootstrapping=any(
            item["name"] == Container.BOOTSTRAP and "running" in (item.get("state") or {}) for item in containers
        ),
    )


def _failed_bootstrap(containers: list[dict[str, Any]]) -> Fault | None:
    """Why Lingma could not be obtained, in the words of the container that tried; it goes on trying."""
    for container in containers:
        if container["name"] != Container.BOOTSTRAP:
            continue
        state, last = container.get("state") or {}, container.get("lastState") or {}
        ended = state.get("terminated") or last.get("terminated") or {}
        if ended.get("exitCode", 0) != 0:
            return Fault("BootstrapFailed", f"Lingma cannot be obtained by spec.lingma.bootstrap: {_last_words(ended)}")
    return None


def _last_words(ended: Mapping[str, Any]) -> str:
    """The last line that a container wrote, without the name of its program."""
    lines = [line.strip() for line in str(ended.get("message") or "").splitlines() if line.strip()]
    said = lines[-1].removeprefix("lingma-gateway: ") if lines else ""
    return said or f"the container ended with status {ended.get('exitCode')} ({ended.get('reason') or 'no reason'})"


def _stuck_container(pod: str, containers: list[dict[str, Any]]) -> Fault | None:
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason")
        if reason in _STUCK:
            said = waiting.get("message") or reason
            hint = f"see `kubectl logs {pod} -c {container['name']} --previous`"
            message = f'container "{container["name"]}": {said}'
            return Fault(reason, f"{message}; {hint}" if reason == "CrashLoopBackOff" else message)
    return None


def _unschedulable(status: Mapping[str, Any]) -> Fault | None:
    for item in status.get("conditions") or []:
        if item["type"] == "PodScheduled" and item["status"] == "False":
            return Fault(item.get("reason") or "Unschedulable", item.get("message") or "no node takes the pod")
    return None


@dataclass(frozen=True, slots=True)
class Report:
    """What the gateway said about itself, or why nothing is known."""

    health: Health | None = None
    error: str | None = None
    """Set when the gateway was asked and did not answer."""


@dataclass(frozen=True, slots=True)
class CapturedSession:
    """A login that Lingma has changed since it was given one."""

    digest: str
    derived_from: str | None
    """Digest of the user's bundle that was in force; None where there was none."""
    bundle: str = field(repr=False)
    """Session bundle in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One account as it stands."""

    account: LingmaAccount
    session: Session
    children: Mapping[Kind, Obj]
    """Live objects of our names, whoever's they are."""
    pod: Pod | None = None
    report: Report = Report()
    conflicts: tuple[str, ...] = ()
    """Objects of our names that belong to someone else, for example `Secret "a-gateway"`."""
    waiting: tuple[str, ...] = ()
    """Objects of our names that have to be gone first."""
    fault: Fault | None = None
    """Why the objects could not be made."""

    @property
    def session_hash(self) -> str | None:
        """The session hash that the live pod template carries."""
        template = (self.children.get(Kind.STATEFUL_SET) or {}).get("spec", {}).get("template", {})
        value = (template.get("metadata", {}).get("annotations") or {}).get(Annotation.SESSION_HASH.value)
        return str(value) if value is not None else None

    @property
    def up_to_date(self) -> bool:
        """Whether the pod is of the newest template that the StatefulSet was given."""
        stateful_set = self.children.get(Kind.STATEFUL_SET)
        if stateful_set is None or self.pod is None or self.pod.terminating:
            return False
        status = stateful_set.get("status") or {}
        seen = int(status.get("observedGeneration", 0)) >= int(stateful_set["metadata"].get("generation", 0))
        return seen and status.get("updateRevision") is not None and self.pod.revision == status["updateRevision"]

    @property
    def pool_ready(self) -> int:
        """Instances that take requests."""
        return self.report.health.pool_ready if self.report.health is not None else 0

    @property
    def serving(self) -> bool:
        """Whether the account answers requests with what its spec says."""
        return self.pool_ready > 0 and self.pod is not None and self.pod.ready and self.up_to_date
