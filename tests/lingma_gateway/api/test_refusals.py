"""Every error in the caller's own form, on every path; and who is let in where."""

import json
import re
import socket
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from lingma_gateway.api.access import AccessLog
from lingma_gateway.errors import (
    GatewayError,
    LoginLost,
    NoReadyAccount,
    QuotaExceeded,
    RateLimited,
    UpstreamLost,
    UpstreamTimeout,
)
from lingma_gateway.events import PartKind
from tests.lingma_gateway.api.conftest import Gateway
from tests.lingma_gateway.support_app import app_of, client_of, scripted, services_of, settings_of
from tests.lingma_gateway.support_events import answer
from tests.lingma_gateway.support_pool import Account, Turn

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
OPEN = {"/livez", "/livez/lingma", "/readyz", "/healthz", "/openapi.json"}
"""What anybody may ask: whether the gateway lives, and what it speaks."""


def _routes() -> list[tuple[str, str]]:
    """Every method and path of the application."""
    app = app_of(services_of()[0])
    assert isinstance(app, AccessLog)
    assert isinstance(app._app, FastAPI)
    routes = [(method, route.path) for route in app._app.state.routes for method in sorted(route.methods)]
    # A WebSocket handshake is refused before anybody looks at its key.
    return [
        (method, re.sub(r"{(\w+)[^}]*}", r"\1", path))
        for method, path in routes
        if (method, path.removeprefix("/v1")) != ("GET", "/responses")
    ]


ROUTES = _routes()
CLOSED = [(method, path) for method, path in ROUTES if path not in OPEN]


def key_for(path: str) -> str:
    return "admin" if path.startswith("/internal") else "metrics" if path == "/metrics" else "sk-a"


def check_form(response: httpx.Response) -> dict[str, Any]:
    """The error, which must be in OpenAI's form with the request id of its header."""
    body = response.json()
    assert body.keys() == {"error", "request_id"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert body["request_id"] == response.headers["x-request-id"]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["server-timing"].startswith("total;dur=")
    error: dict[str, Any] = body["error"]
    return error


def check_anthropic_form(response: httpx.Response) -> dict[str, Any]:
    """The error, which must be in Anthropic's form."""
    body = response.json()
    assert body.keys() == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert body["error"].keys() == {"type", "message"}
    assert body["request_id"] == response.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    return error


# Who is let in


def test_the_routes_that_are_open_exist() -> None:
    assert {path for _, path in ROUTES} >= OPEN


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer sk-x"}, {"x-api-key": "sk-x"}, {"authorization": "sk-a"}]
)
@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_no_route_but_the_probes_answers_a_stranger(method: str, path: str, headers: dict[str, str]) -> None:
    async with client_of(services_of(Account("alice"))[0]) as client:
        refused = await client.request(method, path, headers=headers, json=ASK)
    assert refused.status_code == 401
    assert refused.headers["x-should-retry"] == "false"
    assert "x-lingma-account" not in refused.headers
    form = check_anthropic_form if path.startswith("/v1/messages") else check_form
    form(refused)


async def test_a_stranger_is_not_told_what_is_wrong_with_a_query() -> None:
    async with client_of(services_of()[0]) as client:
        for path in ("/v1/responses/x?stream=x", "/v1/responses/x/input_items?limit=x", "/v1/models?limit=x"):
            assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize("scheme", [("authorization", "Bearer "), ("authorization", "bearer  "), ("x-api-key", "")])
@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_every_route_takes_its_key_in_either_header(method: str, path: str, scheme: tuple[str, str]) -> None:
    name, before = scheme
    async with client_of(services_of()[0]) as client:
        answered = await client.request(method, path, headers={name: before + key_for(path)}, json={})
    assert answered.status_code != 401


@pytest.mark.parametrize("path", sorted(OPEN))
async def test_probes_answer_without_a_key(path: str) -> None:
    async with client_of(services_of()[0]) as client:
        answered = await client.get(path)
    assert answered.status_code in (200, 503)


# Paths and methods


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/v1", "/v1/chat/completions/", "/v1/%zz", "/v1/%ff%fe", "/v1/\u00e4"],
)
async def test_an_unknown_path_is_404_in_form(path: str) -> None:
    async with client_of(services_of()[0]) as client:
        for method in ("GET", "POST", "DELETE"):
            refused = await client.request(method, path)
            assert refused.status_code == 404
            assert check_form(refused)["code"] == "not_found"
            assert "location" not in refused.headers


@pytest.mark.parametrize(("taken", "path"), ROUTES)
async def test_a_wrong_method_is_405_in_form_and_names_the_right_ones(taken: str, path: str) -> None:
    allowed = {method for method, each in ROUTES if each == path}
    async with client_of(services_of()[0]) as client:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed:
            refused = await client.request(method, path)
            assert refused.status_code == 405, method
            assert {name.strip() for name in refused.headers["allow"].split(",")} - {"HEAD"} == allowed
            form = check_anthropic_form if path.startswith("/v1/messages") else check_form
            form(refused)
        if "GET" not in allowed:
            assert (await client.head(path)).status_code == 405


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /v1/\xff HTTP/1.1\r\nHost: x",
        b"BREW /v1/models HTTP/1.1\r\nHost: x",
        b"GET /a b c HTTP/1.1\r\nHost: x",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\ncontent-length: 99999999999999999999",
    ],
)
def test_what_is_no_http_is_400_in_form(gateway: Gateway, request_head: bytes) -> None:
    url = httpx.URL(gateway.url)
    with socket.create_connection((url.host, url.port or 0), timeout=20) as connection:
        connection.sendall(request_head + b"\r\n\r\n")
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert f"x-request-id: {json.loads(body)['request_id']}".encode() in head


async def test_a_caller_with_anthropics_version_gets_anthropics_form_everywhere() -> None:
    headers = {"anthropic-version": "2023-06-01"}
    async with client_of(services_of()[0]) as client:
        assert check_anthropic_form(await client.get("/nothing", headers=headers))["type"] == "not_found_error"
        unknown = await client.post(CHAT, headers=headers, json=ASK)
        assert check_anthropic_form(unknown)["type"] == "authentication_error"
        refused = await client.post(CHAT, headers={**headers, "x-api-key": "sk-a"}, json=ASK)
        assert refused.status_code == 529
        assert check_anthropic_form(refused)["type"] == "overloaded_error"
        assert 1 <= int(refused.headers["retry-after"]) <= 60


# Bodies


async def ask(client: httpx.AsyncClient, **given: Any) -> httpx.Response:
    headers = {"authorization": "Bearer sk-a", **given.pop("headers", {})}
    return await client.post(CHAT, headers=headers, **given)


async def test_a_body_that_is_too_long_is_413_whether_it_says_so_or_not() -> None:
    services, _ = services_of(settings=settings_of(max_body_bytes=1024))

    async def pieces() -> Any:
        for _ in range(3):
            yield b" " * 1000

    async with client_of(services) as client:
        for refused in (await ask(client, content=b" " * 2000), await ask(client, content=pieces())):
            assert refused.status_code == 413
            assert check_form(refused)["code"] == "request_too_large"


async def test_a_compressed_body_is_415_and_one_of_any_type_is_read() -> None:
    services, turns = services_of(Account("alice"))
    turns.script = scripted(answer([(PartKind.TEXT, "Hi")]))
    async with client_of(services) as client:
        refused = await ask(client, json=ASK, headers={"content-encoding": "gzip"})
        assert refused.status_code == 415
        assert check_form(refused)["code"] == "unsupported_content_encoding"
        taken = await ask(client, content=json.dumps(ASK), headers={"content-type": "text/plain"})
        assert taken.status_code == 200


async def test_a_malformed_body_is_400_and_names_its_field() -> None:
    async with client_of(services_of()[0]) as client:
        refused = await ask(client, json={**ASK, "n": 2})
        assert refused.status_code == 400
        assert check_form(refused)["param"] == "n"
        assert refused.headers["x-should-retry"] == "false"


# What the gateway and Lingma cannot do


async def test_without_an_account_it_is_503_with_retry_after() -> None:
    async with client_of(services_of(Account("alice", is_ready=False))[0]) as client:
        refused = await ask(client, json=ASK)
    assert refused.status_code == 503
    assert check_form(refused)["code"] == "no_ready_account"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert "x-should-retry" not in refused.headers
    assert refused.headers["x-lingma-account"] == "alice"


async def test_a_full_queue_is_429_backpressure_with_retry_after_in_seconds_and_milliseconds() -> None:
    services, _ = services_of(Account("alice", slots=1), settings=settings_of(gateway_max_queued=0))
    running = Turn(services.pool)
    await running.begins()
    async with client_of(services) as client:
        refused = await ask(client, json=ASK)
    await running.end()
    assert refused.status_code == 429
    error = check_form(refused)
    assert (error["type"], error["code"]) == ("rate_limit_error", "backpressure")
    assert 1000 <= int(refused.headers["retry-after-ms"]) <= 60_000
    assert refused.headers["x-lingma-account"] == "alice"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "retries"),
    [
        (UpstreamLost("x"), 502, True),
        (UpstreamTimeout("x"), 504, True),
        (NoReadyAccount("x"), 503, True),
        (LoginLost("x"), 503, True),
        (RateLimited("x"), 429, True),
        (QuotaExceeded("x"), 429, False),
        (GatewayError("x"), 500, True),
        (RuntimeError("sk-planted"), 500, True),
    ],
)
async def test_a_failure_of_lingma_before_its_first_event_is_a_status(
    error: Exception, status: int, retries: bool, stream: bool
) -> None:
    services, turns = services_of(Account("alice"), Account("bob"))
    turns.script = scripted(then=error)
    async with client_of(services) as client:
        refused = await ask(client, json={**ASK, "stream": stream})
    assert refused.status_code == status
    assert check_form_of_a_turn(refused)["message"]
    assert ("retry-after" in refused.headers) is (status in (429, 503))
    assert refused.headers.get("x-should-retry") == (None if retries else "false")
    assert refused.headers["x-lingma-account"] in ("alice", "bob")
    assert "sk-planted" not in refused.text
    assert services.pool.in_flight == 0


def check_form_of_a_turn(response: httpx.Response) -> dict[str, Any]:
    timing = response.headers["server-timing"]
    assert timing.startswith("queue;dur=")
    response.headers["server-timing"] = timing.split(", ")[-1]
    return check_form(response)


async def test_an_answer_says_how_long_it_waited_for_a_slot_and_for_lingma() -> None:
    services, turns = services_of(Account("alice"))
    turns.script = scripted(answer([(PartKind.TEXT, "Hi")]))
    async with client_of(services) as client:
        answered = await ask(client, json=ASK)
        listed = await client.get("/v1/models", headers={"x-api-key": "sk-a"})
    names = [entry.split(";dur=")[0] for entry in answered.headers["server-timing"].split(", ")]
    assert names == ["queue", "upstream", "total"]
    assert answered.headers["x-lingma-account"] == "alice"
    assert listed.headers["server-timing"].startswith("total;dur=")


async def test_a_body_names_account_and_times_where_the_setting_says_so() -> None:
    services, turns = services_of(Account("alice"), settings=settings_of(served_by_in_body=True))
    turns.script = scripted(answer([(PartKind.TEXT, "Hi")]))
    async with client_of(services) as client:
        body = (await ask(client, json=ASK)).json()
    assert body["served_by"] == "alice"
    assert body["latency"].keys() == {"first_token_ms", "total_ms"}
    assert body["latency"]["total_ms"] >= body["latency"]["first_token_ms"] >= 0
