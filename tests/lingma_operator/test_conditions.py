"""Conditions: which reason comes first, what the sentence says, when the time moves."""

from typing import Any

import pytest

from lingma_contract.health import LoginReason, State
from lingma_operator.account import LingmaAccountStatus
from lingma_operator.conditions import (
    MAX_MESSAGE,
    ConditionType,
    judge,
    status_of,
    status_of_invalid,
    transitions,
)
from lingma_operator.observed import Fault, Observed, Report, Session, SessionFinding
from tests.lingma_operator.support import LATER, NOW, account, instance, logged_out, observed, pod, report

MISSING = Session(SessionFinding.SECRET_NOT_FOUND, "create it")
NOT_SET = Session(SessionFinding.NOT_SET, "set it")
SUSPENDED = account(suspend=True)
BY_TOKEN = account(login={"personalTokenSecretRef": {"name": "t"}})


def told(of: Observed) -> dict[str, tuple[str, str]]:
    return {verdict.type.value: (verdict.status, verdict.reason) for verdict in judge(of)}


CASES: dict[str, tuple[dict[str, Any], dict[str, tuple[str, str]]]] = {
    "an account that serves": (
        {},
        {
            "Ready": ("True", "Serving"),
            "PoolReady": ("True", "InstancesReady"),
            "LoggedIn": ("True", "LoggedIn"),
            "SessionValid": ("True", "Accepted"),
            "Progressing": ("False", "UpToDate"),
        },
    ),
    "one whose Secret was deleted still serves, and says so": (
        {"session": MISSING},
        {"Ready": ("True", "Serving"), "SessionValid": ("False", "SecretNotFound")},
    ),
    "one that a person logged in without a Secret": (
        {"session": NOT_SET},
        {"Ready": ("True", "Serving"), "SessionValid": ("True", "Accepted")},
    ),
    "one that never had a session": (
        {"session": NOT_SET, "report": logged_out(LoginReason.NO_SESSION)},
        {
            "Ready": ("False", "NoSession"),
            "LoggedIn": ("False", "NoSession"),
            "SessionValid": ("False", "NoSessionSecret"),
            "PoolReady": ("False", "NoInstanceReady"),
        },
    ),
    "one that logs in by itself needs no session": (
        {"account": BY_TOKEN, "session": NOT_SET, "report": logged_out(LoginReason.LOGIN_IN_PROGRESS)},
        {"Ready": ("False", "LoginInProgress"), "SessionValid": ("Unknown", "NoSessionSecret")},
    ),
    "a missing Secret is the cause of a missing login": (
        {"session": MISSING, "report": logged_out(LoginReason.NO_SESSION)},
        {"Ready": ("False", "SecretNotFound"), "LoggedIn": ("False", "NoSession")},
    ),
    "a missing Secret is told before the pod is there": (
        {"session": MISSING, "pod": None, "report": Report()},
        {
            "Ready": ("False", "SecretNotFound"),
            "LoggedIn": ("Unknown", "Deploying"),
            "Progressing": ("True", "Deploying"),
        },
    ),
    "a ban is worse than a missing Secret": (
        {"session": MISSING, "report": logged_out(LoginReason.IP_BANNED)},
        {"Ready": ("False", "IPBanned")},
    ),
    "a rejected session": (
        {"report": logged_out(LoginReason.SESSION_REJECTED)},
        {"Ready": ("False", "SessionRejected"), "SessionValid": ("False", "SessionRejected")},
    ),
    "a fault that no new session cures leaves the session unjudged": (
        {"report": logged_out(LoginReason.NETWORK_ERROR)},
        {"Ready": ("False", "NetworkError"), "SessionValid": ("Unknown", "NotVerified")},
    ),
    "a gateway that has no connection yet knows nothing": (
        {"report": logged_out(LoginReason.NOT_CONNECTED)},
        {"Ready": ("False", "NotConnected"), "LoggedIn": ("Unknown", "NotConnected")},
    ),
    "a crashing Lingma is why the gateway has no connection": (
        {"report": logged_out(LoginReason.NOT_CONNECTED), "pod": pod(fault=Fault("CrashLoopBackOff", "m"))},
        {"Ready": ("False", "CrashLoopBackOff"), "Progressing": ("False", "CrashLoopBackOff")},
    ),
    "a gateway without instances": (
        {"report": report()},
        {
            "Ready": ("False", "NoInstance"),
            "LoggedIn": ("Unknown", "NoInstance"),
            "PoolReady": ("False", "NoInstanceReady"),
        },
    ),
    "logged in and reconnecting": (
        {"report": report(instance(ready=False, state=State.RECONNECTING))},
        {"Ready": ("False", "NoInstanceReady"), "LoggedIn": ("True", "LoggedIn"), "SessionValid": ("True", "Accepted")},
    ),
    "draining": (
        {"report": report(draining=True)},
        {"PoolReady": ("False", "NoInstanceReady")},
    ),
    "logged in, and the kubelet has not noticed yet": (
        {"pod": pod(ready=False)},
        {"Ready": ("False", "EndpointNotReady"), "PoolReady": ("True", "InstancesReady")},
    ),
    "about to be replaced": (
        {"pod": pod(revision="r0")},
        {
            "Ready": ("False", "Updating"),
            "Progressing": ("True", "Updating"),
            "SessionValid": ("Unknown", "NotVerified"),
        },
    ),
    "what a pod of the old template says is no news": (
        {"pod": pod(revision="r0"), "report": logged_out(LoginReason.SESSION_EXPIRED)},
        {"Ready": ("False", "Updating"), "SessionValid": ("Unknown", "NotVerified")},
    ),
    "on its way out": (
        {"pod": pod(terminating=True), "report": Report()},
        {"Ready": ("False", "PodTerminating"), "Progressing": ("True", "PodTerminating")},
    ),
    "containers are starting": (
        {"pod": pod(gateway_runs=False), "report": Report()},
        {"Ready": ("False", "PodStarting"), "LoggedIn": ("Unknown", "PodStarting")},
    ),
    "the gateway runs and was not asked": (
        {"report": Report()},
        {"Ready": ("False", "GatewayStarting"), "Progressing": ("True", "GatewayStarting")},
    ),
    "the gateway does not answer": (
        {"report": Report(error="refused")},
        {"Ready": ("False", "GatewayUnreachable"), "Progressing": ("False", "GatewayUnreachable")},
    ),
    "an image that cannot be pulled": (
        {"pod": pod(gateway_runs=False, fault=Fault("ImagePullBackOff", "m")), "report": Report()},
        {"Ready": ("False", "ImagePullBackOff")},
    ),
    "Lingma is being obtained": (
        {"pod": pod(gateway_runs=False, bootstrapping=True), "report": Report()},
        {"Ready": ("False", "Bootstrapping"), "Progressing": ("True", "Bootstrapping")},
    ),
    "Lingma cannot be obtained": (
        {"pod": pod(gateway_runs=False, fault=Fault("BootstrapFailed", "m")), "report": Report()},
        {"Ready": ("False", "BootstrapFailed"), "Progressing": ("False", "BootstrapFailed")},
    ),
    "a login under way": (
        {"session": NOT_SET, "report": logged_out(LoginReason.LOGIN_IN_PROGRESS)},
        {
            "Ready": ("False", "LoginInProgress"),
            "LoggedIn": ("False", "LoginInProgress"),
            "Progressing": ("True", "LoginInProgress"),
        },
    ),
    "a login that needs a person": (
        {"session": NOT_SET, "report": logged_out(LoginReason.HUMAN_VERIFICATION_NEEDED)},
        {"Ready": ("False", "HumanVerificationNeeded"), "Progressing": ("False", "UpToDate")},
    ),
    "a browser that cannot start is why nobody is logged in": (
        {
            "session": NOT_SET,
            "report": logged_out(LoginReason.NO_SESSION),
            "pod": pod(fault=Fault("ImagePullBackOff", "m")),
        },
        {"Ready": ("False", "ImagePullBackOff"), "LoggedIn": ("False", "NoSession")},
    ),
    "objects of a former account of that name": (
        {"waiting": ('Secret "a"',), "pod": None, "report": Report()},
        {"Ready": ("False", "Deploying"), "Progressing": ("True", "Deploying")},
    ),
    "objects that the API server refuses": (
        {"fault": Fault("ApplyFailed", "no")},
        {"Ready": ("False", "ApplyFailed"), "Progressing": ("False", "ApplyFailed")},
    ),
    "suspended": (
        {"account": SUSPENDED, "pod": None, "report": Report()},
        {
            "Ready": ("False", "Suspended"),
            "PoolReady": ("False", "Suspended"),
            "LoggedIn": ("False", "Suspended"),
            "Progressing": ("False", "Suspended"),
        },
    ),
    "suspended while streams finish": (
        {"account": SUSPENDED},
        {"Ready": ("False", "Suspended"), "Progressing": ("True", "PodTerminating")},
    ),
    "someone else has the name": (
        {"conflicts": ('Secret "a"',)},
        {"Ready": ("False", "Conflict"), "Conflict": ("True", "NotOurs"), "Progressing": ("False", "Conflict")},
    ),
}


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES.keys())
def test_reasons(changes: dict[str, Any], expected: dict[str, tuple[str, str]]) -> None:
    found = told(observed(**changes))
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("changes", [changes for changes, _ in CASES.values()], ids=CASES.keys())
def test_every_condition_has_a_reason_for_programs_and_a_sentence_for_people(changes: dict[str, Any]) -> None:
    for verdict in judge(observed(**changes)):
        assert verdict.reason.isalnum()
        assert verdict.reason[0].isupper()
        assert verdict.message


def test_an_idle_pool_is_told_in_the_gateways_words() -> None:
    messages = {verdict.type: verdict.message for verdict in judge(observed(report=logged_out(LoginReason.NO_SESSION)))}
    assert messages[ConditionType.POOL_READY] == "lingma: log in again"
    draining = observed(report=report(draining=True))
    assert "finishing" in {verdict.type: verdict.message for verdict in judge(draining)}[ConditionType.POOL_READY]


def test_the_status_carries_generation_pool_and_endpoint() -> None:
    status = status_of(observed(), NOW)
    assert (status.observed_generation, status.pool_ready, status.pool_size) == (3, 1, 1)
    assert status.endpoint == "http://alice-gateway.team.svc:8317"
    assert {condition.observed_generation for condition in status.conditions} == {3}


def test_the_pool_of_an_unknown_gateway_is_empty() -> None:
    status = status_of(observed(report=Report()), NOW)
    assert (status.pool_ready, status.pool_size) == (0, 0)


def later(status: LingmaAccountStatus, **changes: Any) -> LingmaAccountStatus:
    of = account(sessionSecretRef={"name": "s"})
    return status_of(observed(**{"account": type(of)(of.identity, of.spec, status), **changes}), LATER)


def test_the_time_moves_only_when_the_status_flips() -> None:
    first = status_of(observed(), NOW)
    assert later(first) == first
    flipped = {
        c.type: c.last_transition_time for c in later(first, report=logged_out(LoginReason.IP_BANNED)).conditions
    }
    assert flipped["Ready"] == LATER
    assert flipped["Progressing"] == NOW


def test_a_new_reason_alone_does_not_move_the_time() -> None:
    first = status_of(observed(report=logged_out(LoginReason.IP_BANNED)), NOW)
    second = later(first, report=logged_out(LoginReason.NOT_LICENSED))
    ready = second.condition("Ready")
    assert ready is not None
    assert (ready.reason, ready.last_transition_time) == ("NotLicensed", NOW)


def test_an_event_tells_of_a_transition_once() -> None:
    nothing, serving = LingmaAccountStatus(), status_of(observed(), NOW)
    (first,) = transitions(nothing, serving)
    assert (first.normal, first.reason) == (True, "Serving")
    assert transitions(serving, serving) == []
    (banned,) = transitions(serving, status_of(observed(report=logged_out(LoginReason.IP_BANNED)), NOW))
    assert (banned.normal, banned.reason, banned.message) == (False, "IPBanned", "log in again")


def test_a_session_fault_that_ready_does_not_tell_has_its_own_event() -> None:
    serving = status_of(observed(), NOW)
    (only,) = transitions(serving, status_of(observed(session=MISSING), NOW))
    assert (only.normal, only.reason) == (False, "SecretNotFound")
    (both,) = transitions(LingmaAccountStatus(), status_of(observed(session=MISSING, report=Report(), pod=None), NOW))
    assert both.reason == "SecretNotFound"


def test_waiting_is_no_warning() -> None:
    (event,) = transitions(LingmaAccountStatus(), status_of(observed(pod=None, report=Report()), NOW))
    assert (event.normal, event.reason) == (True, "Deploying")


def test_an_unreadable_spec_says_which_field() -> None:
    status = status_of_invalid(account().identity, LingmaAccountStatus(), "spec.x: bad" + "!" * MAX_MESSAGE, NOW)
    (ready,) = status.conditions
    assert (ready.status, ready.reason) == ("False", "InvalidSpec")
    assert len(ready.message) == MAX_MESSAGE
    (event,) = transitions(LingmaAccountStatus(), status)
    assert not event.normal
