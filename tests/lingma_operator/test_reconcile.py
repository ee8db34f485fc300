"""Reconciling an account in a fake Kubernetes: converge, repair, report, and then write nothing."""

import base64
import json
from typing import Any

import pytest

from lingma_contract.derivation import derive, read_lines
from lingma_contract.health import LoginReason
from lingma_contract.names import Credential
from lingma_operator.cluster import ApiUnavailable
from lingma_operator.objects import CHILDREN, Kind, Obj
from lingma_operator.observed import Report
from lingma_operator.reconcile import FIRST_SECONDS, LAST_SECONDS, READY_SECONDS, Refused
from lingma_operator.store import Key
from tests.lingma_operator.conftest import World
from tests.lingma_operator.support import (
    PLANTED,
    account_body,
    bundle_secret,
    instance,
    logged_out,
    pod_body,
    report,
    settings,
    stateful_set_status,
)

ALICE, NAMED = Key("team", "alice"), Key("team", "alice-gateway")


def conditions(world: World, name: str = "alice") -> dict[str, tuple[str, str]]:
    status = world.kubernetes.get(Kind.ACCOUNT, Key("team", name))["status"]
    return {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}


def events(world: World) -> list[tuple[str, str]]:
    return [(item["type"], item["reason"]) for item in world.kubernetes.objects[Kind.EVENT].values()]


def template(world: World) -> Obj:
    found: Obj = world.kubernetes.get(Kind.STATEFUL_SET, NAMED)["spec"]["template"]
    return found


async def serve(world: World, **spec: Any) -> None:
    """An account with a session whose pod runs and is logged in."""
    await world.kubernetes.put(bundle_secret())
    await world.kubernetes.put(account_body(**{"sessionSecretRef": {"name": "alice-bundle"}, **spec}))
    await world.settle()
    await start_pod(world)
    await world.settle()


async def start_pod(world: World) -> None:
    """What the StatefulSet controller and the kubelet do."""
    stateful_set = world.kubernetes.get(Kind.STATEFUL_SET, NAMED)

    def seen(obj: Obj) -> None:
        obj["status"] = {**stateful_set_status(), "observedGeneration": stateful_set["metadata"]["generation"]}

    await world.kubernetes.edit(Kind.STATEFUL_SET, NAMED, seen)
    await world.kubernetes.put(pod_body())
    world.gateways.report = report(instance())


async def test_an_account_gets_its_objects_its_status_and_one_event(world: World) -> None:
    await world.kubernetes.put(account_body())
    assert await world.settle() == FIRST_SECONDS
    assert all(NAMED in world.kubernetes.objects[kind] for kind in CHILDREN)
    assert conditions(world)["Ready"] == ("False", "Deploying")
    assert events(world) == [("Normal", "Deploying"), ("Warning", "NoSessionSecret")]


async def test_the_second_run_writes_nothing(world: World) -> None:
    await serve(world)
    assert world.writes()
    assert await world.settle() == READY_SECONDS
    assert world.writes() == []


async def test_a_new_operator_writes_nothing_to_a_settled_world(world: World) -> None:
    await serve(world)
    world.writes()
    world.restart()
    assert await world.settle() == READY_SECONDS
    assert world.writes() == []


async def test_an_account_that_is_logged_in_is_ready(world: World) -> None:
    await serve(world)
    status = world.kubernetes.get(Kind.ACCOUNT, ALICE)["status"]
    assert conditions(world)["Ready"] == ("True", "Serving")
    assert (status["poolReady"], status["poolSize"], status["observedGeneration"]) == (1, 1, 3)
    assert world.gateways.asked == ["10.0.0.7"]


async def test_the_gateways_secret_is_derived_from_the_master(world: World) -> None:
    await world.kubernetes.put(account_body())
    await world.settle()
    master = world.kubernetes.get(Kind.SECRET, Key("lingma", "lingma-master"))["data"]["current"]
    data = world.kubernetes.get(Kind.SECRET, NAMED)["data"]
    expected = derive(base64.b64decode(master), Credential.ROUTER_TOKEN, "uid-alice")
    assert read_lines(base64.b64decode(data["router-token"]).decode()) == (expected,)


async def test_a_missing_session_secret_is_a_condition_and_an_event(world: World) -> None:
    await world.kubernetes.put(account_body(sessionSecretRef={"name": "alice-bundle"}))
    await world.settle()
    assert conditions(world)["SessionValid"] == ("False", "SecretNotFound")
    assert conditions(world)["Ready"] == ("False", "SecretNotFound")
    assert events(world) == [("Warning", "SecretNotFound")]
    assert "annotations" not in template(world)["metadata"]


async def test_a_new_or_changed_bundle_changes_the_pod_template(world: World) -> None:
    await world.kubernetes.put(account_body(sessionSecretRef={"name": "alice-bundle"}))
    hashes = [None]
    for user in (b"first", b"second"):
        await world.kubernetes.put(bundle_secret(user=user))
        await world.settle()
        hashes.append(template(world)["metadata"]["annotations"]["lingma.dev/session-hash"])
    assert len(set(hashes)) == 3


async def test_a_secret_that_vanishes_does_not_take_down_a_pod_that_is_logged_in(world: World) -> None:
    await serve(world)
    before = template(world)
    await world.kubernetes.remove(Kind.SECRET, Key("team", "alice-bundle"))
    await world.settle()
    assert template(world) == before
    assert conditions(world)["Ready"] == ("True", "Serving")
    assert conditions(world)["SessionValid"] == ("False", "SecretNotFound")


async def test_a_reference_that_is_taken_back_takes_the_session_from_the_pod(world: World) -> None:
    await serve(world)
    await world.kubernetes.edit(Kind.ACCOUNT, ALICE, lambda obj: obj["spec"].pop("sessionSecretRef"))
    await world.settle()
    assert "annotations" not in template(world)["metadata"]


async def test_a_login_that_ended_is_seen_without_any_event(world: World) -> None:
    await serve(world)
    world.gateways.report = logged_out(LoginReason.SESSION_EXPIRED)
    assert await world.settle() == FIRST_SECONDS
    assert conditions(world)["Ready"] == ("False", "SessionExpired")


async def test_an_account_that_is_not_ready_is_looked_at_ever_less_often(world: World) -> None:
    await world.kubernetes.put(account_body())
    pauses = [await world.settle() for _ in range(12)]
    assert pauses[0] == FIRST_SECONDS
    assert pauses[-1] == LAST_SECONDS
    assert pauses == sorted(pauses, key=lambda pause: pause or 0.0)
    await world.kubernetes.edit(Kind.ACCOUNT, ALICE, lambda obj: obj["spec"].update(sessionSecretRef={"name": "gone"}))
    assert await world.settle() == FIRST_SECONDS


async def test_an_edited_and_a_deleted_child_are_repaired(world: World) -> None:
    await serve(world)
    before = world.kubernetes.get(Kind.STATEFUL_SET, NAMED)["spec"]
    await world.kubernetes.edit(Kind.STATEFUL_SET, NAMED, lambda obj: obj["spec"].update(replicas=3))
    await world.kubernetes.remove(Kind.SERVICE, NAMED)
    await world.settle()
    assert world.kubernetes.get(Kind.STATEFUL_SET, NAMED)["spec"] == before
    assert NAMED in world.kubernetes.objects[Kind.SERVICE]


async def test_suspending_stops_the_pod_and_keeps_the_rest(world: World) -> None:
    await serve(world)
    await world.kubernetes.edit(Kind.ACCOUNT, ALICE, lambda obj: obj["spec"].update(suspend=True))
    await world.settle()
    assert world.kubernetes.get(Kind.STATEFUL_SET, NAMED)["spec"]["replicas"] == 0
    assert conditions(world)["Ready"] == ("False", "Suspended")
    assert conditions(world)["Progressing"] == ("True", "PodTerminating")
    await world.kubernetes.remove(Kind.POD, Key("team", "alice-gateway-0"))
    assert await world.settle() == READY_SECONDS
    assert conditions(world)["Progressing"] == ("False", "Suspended")


async def test_an_object_of_someone_else_is_left_alone_and_named(world: World) -> None:
    theirs = await world.kubernetes.put(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "alice-gateway", "namespace": "team"}}
    )
    await world.kubernetes.put(account_body())
    await world.settle()
    assert conditions(world)["Conflict"] == ("True", "NotOurs")
    assert conditions(world)["Ready"] == ("False", "Conflict")
    assert world.kubernetes.get(Kind.SERVICE_ACCOUNT, NAMED) == theirs
    assert NAMED not in world.kubernetes.objects[Kind.STATEFUL_SET]
    await world.kubernetes.remove(Kind.SERVICE_ACCOUNT, NAMED)
    await world.settle()
    assert "Conflict" not in conditions(world)


async def test_a_child_that_cannot_be_changed_is_made_anew(world: World) -> None:
    await serve(world)
    uid = world.kubernetes.get(Kind.STATEFUL_SET, NAMED)["metadata"]["uid"]
    await world.kubernetes.edit(Kind.STATEFUL_SET, NAMED, lambda obj: obj["spec"].update(serviceName="old"))
    causes = [{"reason": "FieldValueForbidden", "field": "spec", "message": "updates to statefulset spec"}]
    world.kubernetes.refusals[("PATCH", Kind.STATEFUL_SET)] = (422, {"details": {"causes": causes}})
    await world.settle()
    assert NAMED not in world.kubernetes.objects[Kind.STATEFUL_SET]
    assert Key("team", "alice-gateway-0") in world.kubernetes.objects[Kind.POD]
    world.kubernetes.refusals.clear()
    await world.settle()
    assert world.kubernetes.get(Kind.STATEFUL_SET, NAMED)["metadata"]["uid"] != uid


async def test_a_field_that_cannot_be_set_at_all_is_a_refusal(world: World) -> None:
    await world.kubernetes.put(account_body())
    causes = [{"reason": "FieldValueForbidden", "field": "spec", "message": "no"}]
    world.kubernetes.refusals[("PATCH", Kind.SERVICE)] = (422, {"details": {"causes": causes}})
    with pytest.raises(Refused):
        await world.settle()


async def test_a_refused_object_is_a_condition_and_is_tried_again_by_backoff(world: World) -> None:
    await world.kubernetes.put(account_body())
    world.kubernetes.refusals[("PATCH", Kind.STATEFUL_SET)] = (403, {"message": "exceeded quota: pods"})
    with pytest.raises(Refused, match="ApplyFailed"):
        await world.settle()
    assert conditions(world)["Ready"] == ("False", "ApplyFailed")
    assert "exceeded quota" in json.dumps(world.kubernetes.get(Kind.ACCOUNT, ALICE)["status"])


async def test_without_an_image_the_status_says_where_to_set_one(world: World) -> None:
    world.by = settings(LINGMA_SIMULATOR="")
    world.restart()
    await world.kubernetes.put(account_body())
    with pytest.raises(Refused):
        await world.settle()
    assert conditions(world)["Ready"] == ("False", "LingmaImageMissing")


async def test_a_broken_master_is_a_condition(world: World) -> None:
    secret = bundle_secret("lingma-master")
    await world.kubernetes.put({**secret, "metadata": {"name": "lingma-master", "namespace": "lingma"}})
    await world.kubernetes.put(account_body())
    with pytest.raises(Refused):
        await world.settle()
    assert conditions(world)["Ready"] == ("False", "MasterSecretInvalid")


async def test_an_api_server_without_answers_is_an_error_that_comes_back(world: World) -> None:
    await world.kubernetes.put(account_body())
    world.kubernetes.refusals[("PATCH", Kind.SERVICE)] = (503, {})
    with pytest.raises(ApiUnavailable):
        await world.settle()


async def test_a_spec_of_another_version_is_named_and_nothing_is_touched(world: World) -> None:
    await world.kubernetes.put(account_body(drainSeconds="long"))
    assert await world.settle() == READY_SECONDS
    assert conditions(world)["Ready"] == ("False", "InvalidSpec")
    assert all(not world.kubernetes.objects[kind] for kind in CHILDREN)


async def test_a_deleted_account_is_left_to_the_garbage_collector(world: World) -> None:
    await serve(world)
    await world.kubernetes.edit(Kind.ACCOUNT, ALICE, lambda obj: obj["metadata"].update(deletionTimestamp="now"))
    world.writes()
    assert await world.settle() is None
    await world.kubernetes.remove(Kind.ACCOUNT, ALICE)
    assert await world.settle() is None
    assert world.writes() == []


async def test_an_account_that_vanishes_on_the_way_is_no_error(world: World) -> None:
    await serve(world)
    await world.kubernetes.remove(Kind.ACCOUNT, ALICE)
    world.gateways.report = Report(error="refused")
    assert await world.reconciler.reconcile(ALICE) is None


async def test_a_gateway_that_does_not_answer_is_a_condition(world: World) -> None:
    await serve(world)
    world.gateways.report = Report(error="http://10.0.0.7:8318/healthz refuses connections")
    await world.settle()
    assert conditions(world)["Ready"] == ("False", "GatewayUnreachable")


async def test_an_event_that_cannot_be_written_stops_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.kubernetes.refusals[("POST", Kind.EVENT)] = (403, {"message": "no"})
    await world.kubernetes.put(account_body())
    assert await world.settle() == FIRST_SECONDS
    assert "event not written" in caplog.text


async def test_a_successor_does_not_inherit_objects_of_its_predecessor(world: World) -> None:
    await serve(world)
    await world.kubernetes.remove(Kind.ACCOUNT, ALICE)
    await world.kubernetes.put(account_body(uid="uid-second"))
    world.writes()
    await world.settle()
    assert conditions(world)["Progressing"] == ("True", "Deploying")
    assert [method for method, path in world.writes() if not path.endswith(("/status", "/events"))] == []


async def test_no_secret_shows_in_logs_events_or_status(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await serve(world)
    broken = bundle_secret()
    broken["data"]["bundle"] = base64.b64encode(PLANTED).decode()
    await world.kubernetes.put(broken)
    await world.settle()
    assert conditions(world)["SessionValid"] == ("False", "BundleInvalid")
    secrets = [PLANTED.decode(), broken["data"]["bundle"], bundle_secret()["data"]["bundle"]]
    for kept in (
        world.kubernetes.get(Kind.SECRET, NAMED),
        world.kubernetes.get(Kind.SECRET, Key("lingma", "lingma-master")),
    ):
        secrets += list(kept["data"].values())
        secrets += [line for value in kept["data"].values() for line in base64.b64decode(value).decode().split()]
    told = json.dumps(
        [
            [getattr(record, "fields", None) for record in caplog.records],
            caplog.text,
            list(world.kubernetes.objects[Kind.EVENT].values()),
            world.kubernetes.get(Kind.ACCOUNT, ALICE),
            world.kubernetes.get(Kind.STATEFUL_SET, NAMED),
        ]
    )
    assert [secret for secret in secrets if secret in told] == []
