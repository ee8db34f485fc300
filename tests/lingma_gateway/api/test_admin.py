"""The admin routes, as their owner and as others meet them."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lingma_contract import bundle as bundles
from lingma_gateway.sessions import loginfiles, packing
from lingma_gateway.sessions.restore import restore_bundle
from tests.lingma_gateway.api.conftest import ENVIRONMENT, Gateway, started
from tests.support.programs import Program
from tests.support.sidecar import ROUTER_TOKEN, Sidecar, sidecar, write_login

ROUTES = (
    ("GET", "/internal/stats"),
    ("POST", "/internal/auto-login/start"),
    ("GET", "/internal/auto-login/status"),
    ("POST", "/internal/session/export"),
    ("GET", "/internal/session/captured"),
    ("GET", "/internal/models/raw"),
    ("POST", "/internal/smoke"),
)
CHAT = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    base = tmp_path_factory.mktemp("pod")
    write_login(base / "work")
    with sidecar(base) as running:
        yield running


@pytest.fixture(scope="module")
def logged_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with sidecar(tmp_path_factory.mktemp("out"), ready=False) as running:
        yield running


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_in_a_cluster_only_the_admin_token_opens_them(pod: Sidecar, method: str, path: str) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": f"Bearer {ROUTER_TOKEN}"}):
        response = pod.admin.request(method, path, headers={**headers, "anthropic-version": "2023-06-01"})
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_in_a_cluster_the_port_of_clients_does_not_know_them(pod: Sidecar, method: str, path: str) -> None:
    token = pod.admin.headers["Authorization"]
    assert pod.client.request(method, path, headers={"Authorization": token}).status_code == 404


def test_alone_without_an_admin_token_the_api_keys_open_them_and_the_start_warns(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.get("/internal/stats").status_code == 200
        assert client.get("/internal/stats", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert any("ADMIN_TOKEN is not set" in line for line in gateway.program.lines)


def test_alone_with_an_admin_token_nothing_else_opens_them() -> None:
    environment = {**ENVIRONMENT, "ADMIN_TOKEN": "sk-admin"}
    with Program("lingma_gateway", ["serve", "--simulate", "1", "--port", "0"], environment) as program:
        url = started(program, 1).url
        statuses = {
            key: httpx.get(f"{url}/internal/stats", headers={"Authorization": f"Bearer {key}"}).status_code
            for key in ("sk-a", "sk-admin")
        }
        assert not any("ADMIN_TOKEN is not set" in line for line in program.lines)
    assert statuses == {"sk-a": 401, "sk-admin": 200}


def test_alone_and_open_to_all_neither_admin_nor_metrics_are() -> None:
    environment = {"ALLOW_ANONYMOUS": "true", "DRAIN_PROPAGATION_SECONDS": "0", "LINGMA_BIN": "/nowhere"}
    with Program("lingma_gateway", ["serve", "--port", "0"], environment) as program:
        url = f"http://127.0.0.1:{program.wait_for('listening')['ports'][0]}"
        assert httpx.get(f"{url}/internal/stats").status_code == 401
        metrics = httpx.get(f"{url}/metrics")
    assert metrics.status_code == 503
    assert metrics.json()["error"]["code"] == "not_configured"


def test_where_keys_are_optional_metrics_still_take_one() -> None:
    environment = {"ALLOW_ANONYMOUS": "true", "API_KEYS": "sk-a", "DRAIN_PROPAGATION_SECONDS": "0"}
    with Program("lingma_gateway", ["serve", "--port", "0"], {**environment, "LINGMA_BIN": "/nowhere"}) as program:
        url = f"http://127.0.0.1:{program.wait_for('listening')['ports'][0]}"
        assert httpx.get(f"{url}/metrics").status_code == 401
        assert httpx.get(f"{url}/metrics", headers={"x-api-key": "sk-a"}).status_code == 200


def test_several_instances_must_be_told_apart_and_unknown_ones_are_not_found(client: httpx.Client) -> None:
    unnamed = client.post("/internal/session/export")
    assert unnamed.status_code == 400
    assert unnamed.json()["error"]["param"] == "instance"
    assert "alice, bob" in unnamed.json()["error"]["message"]
    for method, path in ROUTES[1:]:
        assert client.request(method, path, params={"instance": "zoe"}).status_code == 404


def test_stats_tell_concurrency_pool_and_usage_by_account_and_key(pod: Sidecar) -> None:
    before = pod.admin.get("/internal/stats").json()
    answer = pod.client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 200
    pod.program.wait_for("access", request_id=answer.headers["x-request-id"])  # what is counted is counted by then
    body = pod.admin.get("/internal/stats").json()
    assert body["ok"] is True
    assert {"entries", "max_entries", "hits", "misses", "dropped"} <= body["session_cache"].keys()
    assert body["concurrency"] == {
        "in_flight": 0,
        "queued": 0,
        "accepted_total": before["concurrency"]["accepted_total"] + 1,
        "rejected_total": 0,
        "max_in_flight": 2,
    }
    assert (body["pool"]["pool_size"], body["pool"]["pool_ready"]) == (1, 1)
    assert body["usage"]["accounts"].keys() == {"alice"}
    team = body["usage"]["keys"]["team"]
    assert team["turns"] >= 1
    assert team["failed"] == 0
    assert team["input_tokens"] > 0 < team["output_tokens"]


def test_login_status_shows_allowed_fields(pod: Sidecar) -> None:
    body = pod.admin.get("/internal/auto-login/status").json()
    (shown,) = body["instances"]
    assert body["ok"] is True
    assert (shown["instance"], shown["state"], shown["logged_in"]) == ("alice", "ready", True)
    assert shown["auth"]["status"] == 2
    assert shown["auth"]["expireTime"] // 1000 == shown["auto_login"]["session_expires_at"]
    assert not {"token", "refreshToken", "email", "avatarUrl"} & shown["auth"].keys()


def test_a_login_that_holds_is_not_begun_again(pod: Sidecar) -> None:
    body = pod.admin.post("/internal/auto-login/start").json()
    assert (body["ok"], body["state"], body["instance"]) == (True, "already_logged_in", "alice")


def test_without_a_credential_there_is_nothing_to_try(logged_out: Sidecar) -> None:
    body = logged_out.admin.post("/internal/auto-login/start").json()
    assert (body["ok"], body["state"]) == (False, "nothing_to_try")
    assert body["auto_login"]["reason"] == "NoSession"


def test_a_login_begins_when_it_is_asked_for(tmp_path: Path) -> None:
    settings = {
        "AUTO_LOGIN_ENABLED": "true",
        "LINGMA_PERSONAL_TOKEN": "pt-not-known-anywhere",
        "AUTO_LOGIN_MAX_RETRY": "1",
    }
    with sidecar(tmp_path, ready=False, **settings) as running:
        running.program.wait_for("login_not_done")
        body = running.admin.post("/internal/auto-login/start").json()
        text = running.admin.get("/internal/auto-login/status").text
    assert body["state"] in ("waiting", "nothing_to_try", "running")
    assert body["auto_login"]["attempts"][0]["way"] == "personal_token"
    assert "pt-not-known-anywhere" not in text


def test_a_login_can_be_begun_by_hand_and_is_begun_once(tmp_path: Path) -> None:
    token = tmp_path / "token"
    settings = {"LINGMA_PERSONAL_TOKEN_FILE": str(token), "LINGMA_PING_INTERVAL": "60"}
    with sidecar(tmp_path, ["--fault", "mute=auth/login"], ready=False, **settings) as running:
        states = [running.admin.post("/internal/auto-login/start").json()["state"]]
        token.write_text("pt-anything")
        states += [running.admin.post("/internal/auto-login/start").json()["state"] for _ in range(2)]
    assert states == ["nothing_to_try", "running", "already_running"]


def test_an_export_can_be_restored(pod: Sidecar) -> None:
    response = pod.admin.post("/internal/session/export", params={"instance": "alice"})
    body = response.json()
    packed = base64.b64decode(body["bundle_b64"])
    assert response.headers["cache-control"] == "no-store"
    assert (body["instance"], body["account"], body["raw_bytes"]) == ("alice", "alice", len(packed))
    assert loginfiles.holder(bundles.unpack(packed).files).uid == "alice"


def test_a_login_that_lingma_refreshed_can_be_fetched_with_its_origin(tmp_path: Path) -> None:
    write_login(tmp_path / "given")
    given = packing.read_login(tmp_path / "given", time.time())
    restore_bundle(tmp_path / "work", given)
    with sidecar(tmp_path, LOGIN_REFRESH_BEFORE="99999999") as running:
        body = running.admin.get("/internal/session/captured").json()
        (health,) = running.admin.get("/healthz").json()["instances"]
        live = packing.read_login(running.work_dir, time.time())
    assert body["derived_from"] == given.digest
    assert bundles.unpack(base64.b64decode(body["bundle_b64"])) == live != given
    assert health["captured"] == body["digest"] == live.digest


def test_a_login_that_is_as_it_was_given_is_not_captured(logged_out: Sidecar) -> None:
    assert logged_out.admin.get("/internal/session/captured").status_code == 404


def test_nothing_is_exported_or_listed_while_nobody_is_logged_in(logged_out: Sidecar) -> None:
    exported = logged_out.admin.post("/internal/session/export")
    assert (exported.status_code, exported.json()["error"]["code"]) == (409, "conflict")
    assert exported.headers["x-should-retry"] == "false"
    assert logged_out.admin.get("/internal/models/raw").status_code == 503


def test_a_login_that_cannot_be_packed_is_said_to_be(tmp_path: Path) -> None:
    write_login(tmp_path / "work")
    with sidecar(tmp_path) as running:
        (tmp_path / "work" / "cache" / "id").write_text("another-machine-altogether")
        response = running.admin.post("/internal/session/export")
    assert (response.status_code, response.json()["error"]["code"]) == (500, "session_not_packed")


def test_without_lingma_each_route_says_so(tmp_path: Path) -> None:
    write_login(tmp_path / "work")
    with sidecar(tmp_path) as running:
        running.lingma.terminate()
        running.program.wait_for("lingma_state", new_state="reconnecting")
        statuses = {path: running.admin.request(method, path).status_code for method, path in ROUTES}
        (shown,) = running.admin.get("/internal/auto-login/status").json()["instances"]
    assert statuses == {
        "/internal/stats": 200,
        "/internal/auto-login/start": 502,
        "/internal/auto-login/status": 200,
        "/internal/session/export": 503,
        "/internal/session/captured": 200,
        "/internal/models/raw": 503,
        "/internal/smoke": 503,
    }
    assert shown["auth"] is None
    assert "not connected" in shown["error"]


def test_raw_models_come_with_what_is_made_of_them(pod: Sidecar) -> None:
    body = pod.admin.get("/internal/models/raw").json()
    listed = pod.client.get("/v1/models").json()["data"]
    assert body["exposed_keys"] == [model["id"] for model in listed]
    assert body["extracted_name_map"]["org_auto"] == "Auto"
    assert body["raw"].keys() == {"assistant", "chat", "developer", "inline", "quest"}


def test_metrics_tell_logins_and_when_they_end(pod: Sidecar) -> None:
    text = pod.admin.get("/metrics").text
    assert 'gateway_login_state{name="alice",reason="LoggedIn"} 1.0' in text
    assert 'gateway_session_expiry_timestamp_seconds{name="alice"}' in text
    assert "gateway_accepted_total" in text
    assert "gateway_queued 0.0" in text
    assert 'path="/internal' not in text
