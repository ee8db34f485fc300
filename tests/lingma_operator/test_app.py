"""The whole operator, kopf included, before a fake Kubernetes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestClient, TestServer

from lingma_operator.app import MAX_LAG_SECONDS, Vitals, admin_app, run
from lingma_operator.cli import main
from lingma_operator.cluster import Connection
from lingma_operator.handlers import kopf_scope, kopf_settings
from lingma_operator.objects import CHILDREN, Kind
from lingma_operator.store import Key
from tests.lingma_operator.conftest import FakeGateways
from tests.lingma_operator.fake_kubernetes import FakeKubernetes
from tests.lingma_operator.support import (
    account_body,
    bundle_secret,
    instance,
    pod_body,
    report,
    settings,
    stateful_set_status,
)

ALICE, NAMED = Key("team", "alice"), Key("team", "alice-gateway")


@asynccontextmanager
async def operating(connection: Connection, gateways: FakeGateways) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(run(settings(LINGMA_WORKERS="2"), connection, stop, gateways))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await running


def reason(kubernetes: FakeKubernetes) -> str:
    conditions = kubernetes.get(Kind.ACCOUNT, ALICE).get("status", {}).get("conditions", [])
    return next((item["reason"] for item in conditions if item["type"] == "Ready"), "")


async def test_watches_drive_an_account_from_nothing_to_ready(
    kubernetes: FakeKubernetes, connection: Connection
) -> None:
    gateways = FakeGateways(report(instance()))
    await kubernetes.put(account_body("listed", "uid-listed"))
    async with operating(connection, gateways):
        await kubernetes.until(lambda: Key("team", "listed-gateway") in kubernetes.objects[Kind.STATEFUL_SET])
        await kubernetes.put(account_body(sessionSecretRef={"name": "alice-bundle"}))
        await kubernetes.until(lambda: reason(kubernetes) == "SecretNotFound")
        assert all(NAMED in kubernetes.objects[kind] for kind in CHILDREN)

        # Faster than the polling of an account that is not ready: the Secret's own event does it.
        await kubernetes.put(bundle_secret())
        await kubernetes.until(lambda: reason(kubernetes) == "Deploying", seconds=1.5)

        await kubernetes.edit(
            Kind.STATEFUL_SET,
            NAMED,
            lambda obj: obj.update(
                status={**stateful_set_status(), "observedGeneration": obj["metadata"]["generation"]}
            ),
        )
        await kubernetes.put(pod_body())
        await kubernetes.until(lambda: reason(kubernetes) == "Serving", seconds=1.5)

        await kubernetes.remove(Kind.SERVICE, NAMED)
        await kubernetes.until(lambda: NAMED in kubernetes.objects[Kind.SERVICE], seconds=1.5)

        await kubernetes.remove(Kind.ACCOUNT, ALICE)
        await kubernetes.remove(Kind.SERVICE, NAMED)
        await kubernetes.put(account_body("next", "uid-next"))
        await kubernetes.until(lambda: Key("team", "next-gateway") in kubernetes.objects[Kind.STATEFUL_SET])
        assert NAMED not in kubernetes.objects[Kind.SERVICE], "a deleted account is not made anew"


async def test_the_operator_waits_for_an_api_server_that_refuses_at_first(
    kubernetes: FakeKubernetes, connection: Connection
) -> None:
    kubernetes.refusals[("GET", Kind.ACCOUNT)] = (404, {"reason": "NotFound", "message": "no such kind yet"})
    await kubernetes.put(account_body())
    async with operating(connection, FakeGateways()):
        await kubernetes.until(lambda: bool(kubernetes.tokens))
        kubernetes.refusals.clear()
        await kubernetes.until(lambda: NAMED in kubernetes.objects[Kind.STATEFUL_SET])


async def test_it_stops_while_it_waits(kubernetes: FakeKubernetes, connection: Connection) -> None:
    kubernetes.refusals[("GET", Kind.ACCOUNT)] = (500, {})
    async with operating(connection, FakeGateways()):
        await kubernetes.until(lambda: bool(kubernetes.tokens))
    assert not kubernetes.objects[Kind.STATEFUL_SET]


def test_kopf_only_watches() -> None:
    by = kopf_settings()
    assert by.scanning.disabled
    assert by.peering.standalone
    assert not by.posting.enabled
    assert set(by.watching.label_selectors.values()) == {"app.kubernetes.io/managed-by=lingma-operator"}
    assert list(by.watching.field_selectors.values()) == ["type=Opaque"]


def test_the_scope_is_given_to_kopf() -> None:
    assert kopf_scope(settings()) == {"namespaces": ["team"]}
    assert kopf_scope(settings(LINGMA_WATCH_NAMESPACES="*")) == {"clusterwide": True}


@pytest.mark.parametrize(
    ("vitals", "alive", "ready"),
    [
        (Vitals(), 200, 503),
        (Vitals(listed=True, watching=True), 200, 200),
        (Vitals(listed=True, watching=False), 503, 200),
        (Vitals(listed=True, watching=True, lag=MAX_LAG_SECONDS + 1), 503, 200),
        (Vitals(listed=True, stopping=True), 200, 503),
    ],
    ids=["starting", "running", "kopf is gone", "the loop lags", "stopping"],
)
async def test_probes(vitals: Vitals, alive: int, ready: int) -> None:
    async with TestClient(TestServer(admin_app(vitals))) as client:
        assert (await client.get("/healthz")).status == alive
        assert (await client.get("/livez")).status == alive
        assert (await client.get("/readyz")).status == ready


async def test_metrics_have_controller_runtimes_names() -> None:
    async with TestClient(TestServer(admin_app(Vitals()))) as client:
        text = await (await client.get("/metrics")).text()
    for name in (
        "controller_runtime_reconcile_total",
        "rest_client_requests_total",
        "workqueue_queue_duration_seconds",
    ):
        assert name in text


def test_bad_settings_end_the_program_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    assert main(["run"]) == 2
    assert "POD_NAMESPACE" in capsys.readouterr().err
