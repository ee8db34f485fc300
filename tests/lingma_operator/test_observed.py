"""What can be said of Secrets, owners and pods by looking at them."""

from typing import Any

import pytest

from lingma_contract.bundle import Bundle
from lingma_operator.account import SessionSecretRef
from lingma_operator.objects import Kind, Obj
from lingma_operator.observed import (
    Fault,
    Ownership,
    Session,
    SessionFinding,
    look_at_pod,
    look_at_session,
    ownership,
)
from tests.lingma_operator.support import (
    PLANTED,
    account,
    bundle_secret,
    desired,
    live,
    observed,
    pod,
    pod_body,
    report,
)

REFERENCE = SessionSecretRef(name="alice-bundle")


def look(secret: Obj | None) -> Session:
    return look_at_session(REFERENCE, "team", secret)


def test_no_reference_is_an_account_that_waits_for_a_login() -> None:
    assert look_at_session(None, "team", None).finding is SessionFinding.NOT_SET


def test_without_a_session_secret_the_sentence_knows_other_ways_to_log_in() -> None:
    found = look_at_session(None, "team", None, other_ways=True)
    assert found.finding is SessionFinding.NOT_SET
    assert found.message.endswith("the account logs in by spec.login")


def test_a_missing_secret_is_named_with_the_key_that_it_needs() -> None:
    assert look(None) == Session(
        SessionFinding.SECRET_NOT_FOUND,
        'Secret "alice-bundle" in namespace "team" does not exist: create it with key "bundle"',
    )


@pytest.mark.parametrize("secret", [bundle_secret(key="other"), {"metadata": {}}])
def test_a_missing_key_is_named(secret: Obj) -> None:
    found = look(secret)
    assert found.finding is SessionFinding.SECRET_KEY_MISSING
    assert '"bundle"' in found.message


@pytest.mark.parametrize("value", ["UExBTlRFRA==", "", "%%%"])
def test_what_is_no_bundle_is_said_without_showing_it(value: str) -> None:
    found = look({"data": {"bundle": value}})
    assert found.finding is SessionFinding.BUNDLE_INVALID
    assert "PLANTED" not in found.message
    assert found.digest is None


def test_a_readable_bundle_leaves_only_its_digest() -> None:
    found = look(bundle_secret())
    assert found.digest == Bundle({"id": b"id", "user": PLANTED}).digest
    assert PLANTED.decode() not in repr(found)


def owned(**reference: Any) -> Obj:
    return {"metadata": {"ownerReferences": [{"controller": True, **reference}], "labels": {}}}


@pytest.mark.parametrize(
    ("child", "whose"),
    [
        (desired(account())[0], Ownership.OURS),
        (owned(uid="uid-old", kind="LingmaAccount", name="alice"), Ownership.PREDECESSOR),
        (owned(uid="uid-b", kind="LingmaAccount", name="bob"), Ownership.FOREIGN),
        (owned(uid="x", kind="Deployment", name="alice"), Ownership.FOREIGN),
        ({"metadata": {}}, Ownership.FOREIGN),
        ({"metadata": {"labels": {"app.kubernetes.io/managed-by": "lingma-operator"}}}, Ownership.FOREIGN),
        ({"metadata": {"labels": desired(account())[0]["metadata"]["labels"]}}, Ownership.OURS),
    ],
)
def test_whose_an_object_is(child: Obj, whose: Ownership) -> None:
    assert ownership(child, account().identity) is whose


def test_a_running_pod_can_be_asked() -> None:
    seen = look_at_pod(pod_body())
    assert (seen.ready, seen.answers, seen.revision, seen.fault) == (True, True, "r1", None)


@pytest.mark.parametrize("changes", [{"gateway_runs": False}, {"address": None}, {"terminating": True}])
def test_a_pod_that_starts_or_ends_is_not_asked(changes: dict[str, Any]) -> None:
    assert not pod(**changes).answers


def test_a_pod_without_a_status_is_only_there() -> None:
    seen = look_at_pod({"metadata": {"name": "p", "deletionTimestamp": "now"}})
    assert (seen.address, seen.ready, seen.terminating, seen.fault) == (None, False, True, None)


def waiting(reason: str, message: str | None = None) -> Obj:
    body = pod_body()
    body["status"]["initContainerStatuses"] = [
        {"name": "restore", "state": {"terminated": {}}},
        {"name": "lingma", "state": {"waiting": {"reason": reason, "message": message}}},
    ]
    return body


def test_an_image_that_cannot_be_pulled_is_said_in_the_kubelets_words() -> None:
    fault = look_at_pod(waiting("ImagePullBackOff", "Back-off pulling image x")).fault
    assert fault == Fault("ImagePullBackOff", 'container "lingma": Back-off pulling image x')


def test_a_crashing_container_comes_with_the_command_that_shows_why() -> None:
    fault = look_at_pod(waiting("CrashLoopBackOff")).fault
    assert fault is not None
    assert "kubectl logs alice-gateway-0 -c lingma --previous" in fault.message


def test_a_starting_container_is_no_fault() -> None:
    assert look_at_pod(waiting("PodInitializing")).fault is None


SUM_FAULT = "read 50 of 300 MB\nlingma-gateway: the archive's SHA-256 is b, not a: nothing was installed\n"


@pytest.mark.parametrize(
    "status",
    [
        {"state": {"terminated": {"exitCode": 1, "message": SUM_FAULT}}},
        {
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "message": SUM_FAULT}},
        },
        {"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1, "message": SUM_FAULT}}},
    ],
)
def test_a_lingma_that_cannot_be_obtained_is_told_in_the_last_words_of_who_tried(status: Obj) -> None:
    body = pod_body(runs=False)
    body["status"]["initContainerStatuses"] = [{"name": "restore", "state": {}}, {"name": "bootstrap", **status}]
    assert look_at_pod(body).fault == Fault(
        "BootstrapFailed",
        "Lingma cannot be obtained by spec.lingma.bootstrap: the archive's SHA-256 is b, not a: nothing was installed",
    )


def test_one_that_said_nothing_is_told_by_how_it_ended() -> None:
    body = pod_body(runs=False)
    killed = {"exitCode": 137, "reason": "OOMKilled"}
    body["status"]["initContainerStatuses"] = [{"name": "bootstrap", "state": {"terminated": killed}}]
    fault = look_at_pod(body).fault
    assert fault is not None
    assert fault.message.endswith("the container ended with status 137 (OOMKilled)")


def test_a_bootstrap_that_runs_or_is_done_is_no_fault() -> None:
    body = pod_body(runs=False)
    body["status"]["initContainerStatuses"] = [{"name": "bootstrap", "state": {"running": {}}}]
    seen = look_at_pod(body)
    assert (seen.fault, seen.bootstrapping) == (None, True)
    done = {
        "state": {"terminated": {"exitCode": 0}},
        "lastState": {"terminated": {"exitCode": 1, "message": SUM_FAULT}},
    }
    body["status"]["initContainerStatuses"] = [{"name": "bootstrap", **done}]
    seen = look_at_pod(body)
    assert (seen.fault, seen.bootstrapping) == (None, False)


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"reason": "Unschedulable", "message": "0/3 nodes"}, "Unschedulable"),
        ({"reason": "SchedulingGated"}, "SchedulingGated"),
        ({}, "Unschedulable"),
    ],
)
def test_a_pod_without_a_node_says_why(condition: Obj, reason: str) -> None:
    body = pod_body(runs=False)
    body["status"]["conditions"] = [
        {"type": "Ready", "status": "False"},
        {"type": "PodScheduled", "status": "True"},
        {"type": "PodScheduled", "status": "False", **condition},
    ]
    fault = look_at_pod(body).fault
    assert fault is not None
    assert fault.reason == reason


def test_an_account_serves_when_its_newest_pod_is_ready_and_logged_in() -> None:
    assert observed().serving
    assert not observed(report=report()).serving
    assert not observed(pod=None).serving
    assert not observed(pod=pod(ready=False)).serving
    assert not observed(pod=pod(revision="r0")).serving
    assert not observed(pod=pod(terminating=True)).serving


def test_a_template_that_the_controller_has_not_seen_yet_is_not_served() -> None:
    changed = observed()
    stateful_set = changed.children[Kind.STATEFUL_SET]
    newer = {**stateful_set, "metadata": {**stateful_set["metadata"], "generation": 2}}
    assert not observed(children={Kind.STATEFUL_SET: newer}).up_to_date
    assert not observed(children={Kind.STATEFUL_SET: live(desired(account())[-1])}).up_to_date
    assert not observed(children={}).up_to_date


def test_the_live_session_hash_is_read_from_the_template() -> None:
    of = account(sessionSecretRef={"name": "s"})
    assert observed(children={Kind.STATEFUL_SET: live(desired(of, "h")[-1])}).session_hash == "h"
    assert observed(children={}).session_hash is None
