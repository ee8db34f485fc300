"""Observed -> status: conditions with a reason for programs and a sentence for people. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lingma_contract.health import SESSION_FAULTS, Health, LoginReason
from lingma_contract.names import Port, children_name
from lingma_operator.account import Condition, Identity, LingmaAccountStatus
from lingma_operator.observed import Fault, Observed, Pod, SessionFinding

Status = Literal["True", "False", "Unknown"]

MAX_MESSAGE = 1024
"""Characters of a message; the same sentence goes into an Event, whose limit this is."""


class ConditionType(StrEnum):
    """Types of conditions, in the order in which they are shown."""

    READY = "Ready"
    POOL_READY = "PoolReady"
    LOGGED_IN = "LoggedIn"
    SESSION_VALID = "SessionValid"
    PROGRESSING = "Progressing"
    CONFLICT = "Conflict"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition before it has a time."""

    type: ConditionType
    status: Status
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Transition:
    """A change worth an Event."""

    normal: bool
    """False makes it a warning."""
    reason: str
    message: str


_SUSPENDED = Fault("Suspended", "spec.suspend is true: the pod is stopped; set it to false to start it")
_CALM = frozenset(
    {
        "Suspended",
        "Deploying",
        "PodStarting",
        "Bootstrapping",
        "Updating",
        "PodTerminating",
        "GatewayStarting",
        LoginReason.LOGIN_IN_PROGRESS.value,
    }
)
"""Reasons of a Ready that is False without anything being wrong."""


def status_of(observed: Observed, now: str) -> LingmaAccountStatus:
    """The status of the account; `now` is RFC 3339."""
    identity = observed.account.identity
    health = observed.report.health
    return LingmaAccountStatus(
        observed_generation=identity.generation,
        pool_ready=observed.pool_ready,
        pool_size=len(health.instances) if health is not None else 0,
        endpoint=f"http://{children_name(identity.name)}.{identity.namespace}.svc:{Port.CLIENT}",
        conditions=_timed(judge(observed), identity, observed.account.status, now),
    )


def status_of_invalid(identity: Identity, previous: LingmaAccountStatus, fault: str, now: str) -> LingmaAccountStatus:
    """The status of an account whose spec cannot be read: nothing of it was touched."""
    verdict = Verdict(ConditionType.READY, "False", "InvalidSpec", _short(fault))
    return LingmaAccountStatus(
        observed_generation=identity.generation, conditions=_timed([verdict], identity, previous, now)
    )


def transitions(before: LingmaAccountStatus, after: LingmaAccountStatus) -> list[Transition]:
    """What changed between two statuses and is worth an Event: Ready, and a session fault that Ready does not tell."""
    found: list[Transition] = []
    told: set[str] = set()
    for type_ in (ConditionType.READY, ConditionType.SESSION_VALID):
        old, new = before.condition(type_), after.condition(type_)
        if new is None or (old is not None and (old.status, old.reason) == (new.status, new.reason)):
            continue
        if type_ is ConditionType.SESSION_VALID and (new.status != "False" or new.reason in told):
            continue
        told.add(new.reason)
        found.append(Transition(new.status == "True" or new.reason in _CALM, new.reason, new.message))
    return found


def judge(observed: Observed) -> list[Verdict]:
    """All conditions that can be said something about."""
    verdicts = [
        _ready(observed),
        _pool_ready(observed),
        _logged_in(observed),
        _session_valid(observed),
        _progressing(observed),
    ]
    if observed.conflicts:
        verdicts.append(Verdict(ConditionType.CONFLICT, "True", "NotOurs", _conflict(observed).message))
    return verdicts


def _ready(observed: Observed) -> Verdict:
    hindered = observed.account.spec.suspend or observed.conflicts or observed.fault is not None
    if observed.serving and not hindered:
        return Verdict(ConditionType.READY, "True", "Serving", _serving_message(observed))
    fault = _most_causal(observed)
    return Verdict(ConditionType.READY, "False", fault.reason, fault.message)


def _most_causal(observed: Observed) -> Fault:
    """Of all that keeps the account from serving, what to cure first."""
    if observed.conflicts:
        return _conflict(observed)
    if observed.account.spec.suspend:
        return _SUSPENDED
    return observed.fault or _upstream_fault(observed) or Fault("EndpointNotReady", "the pod is not marked ready yet")


def _upstream_fault(observed: Observed) -> Fault | None:
    """What is wrong with the session, the pod or Lingma, the most causal first."""
    session = _session_fault(observed)
    # What the gateway of a pod that is about to be replaced says is no news.
    login = _login_fault(observed.report.health) if observed.up_to_date else None
    if session is not None and not _logged_in_anywhere(observed) and (login is None or login.reason in SESSION_FAULTS):
        return session
    pod = _pod_fault(observed)
    # A container that is stuck, such as the browser's, explains why nobody is logged in.
    stuck = observed.pod is not None and observed.pod.fault is not None
    if login is not None and (pod is None or not (stuck or login.reason == LoginReason.NOT_CONNECTED)):
        return login
    if pod is None and observed.report.health is not None and observed.pool_ready == 0:
        return Fault("NoInstanceReady", _idle_message(observed.report.health))
    return pod


def _session_fault(observed: Observed) -> Fault | None:
    """What is wrong with the user's Secret."""
    session = observed.session
    if session.finding in (SessionFinding.READABLE, SessionFinding.NOT_SET):
        return None
    return Fault(session.finding.value, session.message)


def _logged_in_anywhere(observed: Observed) -> bool:
    health = observed.report.health
    return health is not None and any(item.logged_in for item in health.instances)


def _pool_ready(observed: Observed) -> Verdict:
    if observed.account.spec.suspend:
        return Verdict(ConditionType.POOL_READY, "False", _SUSPENDED.reason, _SUSPENDED.message)
    health = observed.report.health
    if health is None:
        fault = _pod_fault(observed) or Fault("GatewayStarting", "the gateway has not been asked yet")
        return Verdict(ConditionType.POOL_READY, "False", fault.reason, fault.message)
    if health.pool_ready > 0:
        return Verdict(ConditionType.POOL_READY, "True", "InstancesReady", _serving_message(observed))
    return Verdict(ConditionType.POOL_READY, "False", "NoInstanceReady", _idle_message(health))


def _logged_in(observed: Observed) -> Verdict:
    type_ = ConditionType.LOGGED_IN
    if observed.account.spec.suspend:
        return Verdict(type_, "False", _SUSPENDED.reason, _SUSPENDED.message)
    health = observed.report.health
    if health is None:
        fault = _pod_fault(observed) or Fault("GatewayStarting", "the gateway has not been asked yet")
        return Verdict(type_, "Unknown", fault.reason, fault.message)
    told = next((item for item in health.instances if item.logged_in), None) or next(iter(health.instances), None)
    if told is None:
        return Verdict(type_, "Unknown", "NoInstance", "the gateway knows no Lingma yet")
    if told.logged_in:
        return Verdict(type_, "True", LoginReason.LOGGED_IN.value, told.message or "the account is logged in")
    unknown = told.reason is LoginReason.NOT_CONNECTED
    return Verdict(type_, "Unknown" if unknown else "False", told.reason.value, told.message)


def _session_valid(observed: Observed) -> Verdict:
    type_, session = ConditionType.SESSION_VALID, observed.session
    logged_in = _logged_in_anywhere(observed)
    if session.finding is SessionFinding.NOT_SET:
        if logged_in:
            return Verdict(type_, "True", "Accepted", "Lingma is logged in without a session Secret")
        expected = not observed.account.spec.login.configured
        return Verdict(type_, "False" if expected else "Unknown", session.finding.value, session.message)
    if session.finding is not SessionFinding.READABLE:
        return Verdict(type_, "False", session.finding.value, session.message)
    if logged_in and observed.up_to_date:
        return Verdict(type_, "True", "Accepted", "Lingma accepted the session")
    login = _login_fault(observed.report.health)
    if login is not None and login.reason in SESSION_FAULTS and observed.up_to_date:
        return Verdict(type_, "False", login.reason, login.message)
    return Verdict(type_, "Unknown", session.finding.value, session.message)


def _progressing(observed: Observed) -> Verdict:
    type_ = ConditionType.PROGRESSING
    if observed.conflicts:
        return Verdict(type_, "False", _conflict(observed).reason, _conflict(observed).message)
    if observed.fault is not None:
        return Verdict(type_, "False", observed.fault.reason, observed.fault.message)
    if observed.account.spec.suspend:
        if observed.pod is not None:
            return Verdict(type_, "True", "PodTerminating", "the pod is finishing its streams before it stops")
        return Verdict(type_, "False", _SUSPENDED.reason, _SUSPENDED.message)
    fault = _pod_fault(observed)
    if fault is None:
        login = _login_fault(observed.report.health)
        if login is not None and login.reason == LoginReason.LOGIN_IN_PROGRESS:
            return Verdict(type_, "True", login.reason, login.message)
        return Verdict(type_, "False", "UpToDate", "the pod runs what the spec says")
    return Verdict(type_, "True" if fault.reason in _CALM else "False", fault.reason, fault.message)


def _pod_fault(observed: Observed) -> Fault | None:
    """What keeps the pod, of the newest template, from being asked; None when it answered."""
    pod = observed.pod
    if observed.waiting:
        return Fault("Deploying", f"waiting until {_listed(observed.waiting)} of before is gone")
    if pod is None:
        name = children_name(observed.account.identity.name)
        return Fault("Deploying", f"the pod does not exist yet; if it stays so: `kubectl describe statefulset {name}`")
    if pod.terminating:
        return Fault("PodTerminating", "the pod is finishing its streams before it stops")
    if pod.fault is not None:
        return pod.fault
    if not observed.up_to_date:
        return Fault("Updating", "the pod is about to be replaced by one of the newest spec and session")
    return _silent_gateway(observed, pod)


def _silent_gateway(observed: Observed, pod: Pod) -> Fault | None:
    if observed.report.health is not None:
        return None
    if pod.bootstrapping:
        return Fault("Bootstrapping", "Lingma is being obtained from the plugin of spec.lingma.bootstrap")
    if not pod.gateway_runs:
        return Fault("PodStarting", "the pod's containers are starting")
    if observed.report.error is not None:
        return Fault("GatewayUnreachable", f"the gateway does not answer the operator: {observed.report.error}")
    return Fault("GatewayStarting", "the gateway has not been asked yet")


def _login_fault(health: Health | None) -> Fault | None:
    """Why no instance is logged in, in the gateway's words."""
    if health is None or any(item.logged_in for item in health.instances):
        return None
    told = next(iter(health.instances), None)
    if told is None:
        return Fault("NoInstance", "the gateway knows no Lingma yet")
    return Fault(told.reason.value, told.message)


def _serving_message(observed: Observed) -> str:
    health = observed.report.health
    size = len(health.instances) if health is not None else 0
    return f"{observed.pool_ready} of {size} instances take requests"


def _idle_message(health: Health) -> str:
    if health.draining:
        return "the gateway is finishing its streams before it stops"
    return "; ".join(f"{item.name}: {item.message or item.state.value}" for item in health.instances) or "no instances"


def _conflict(observed: Observed) -> Fault:
    return Fault(
        "Conflict",
        f"{_listed(observed.conflicts)} belongs to someone else and is left alone: "
        "delete or rename it, or give the account another name",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _short(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"


def _timed(verdicts: Iterable[Verdict], identity: Identity, previous: LingmaAccountStatus, now: str) -> list[Condition]:
    """The verdicts as conditions; the time of one whose status did not flip stays as it was."""
    timed: list[Condition] = []
    for verdict in verdicts:
        before = previous.condition(verdict.type)
        since = before.last_transition_time if before is not None and before.status == verdict.status else now
        timed.append(
            Condition(
                type=verdict.type.value,
                status=verdict.status,
                reason=verdict.reason,
                message=_short(verdict.message),
                last_transition_time=since,
                observed_generation=identity.generation,
            )
        )
    return timed
