"""Asking a gateway for its health: an answer, or a sentence that says why there is none."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from lingma_operator import gateways
from lingma_operator.gateways import GatewayRefused, HttpGateways
from lingma_operator.observed import CapturedSession
from tests.lingma_operator.support import instance, report


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def serve(answer: web.Response | None) -> tuple[web.AppRunner, int]:
    async def healthz(_: web.Request) -> web.Response:
        if answer is None:
            await asyncio.Event().wait()
        assert answer is not None
        return answer

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]


async def asked(session: aiohttp.ClientSession, answer: web.Response | None) -> tuple[object, str | None]:
    runner, port = await serve(answer)
    try:
        told = await HttpGateways(session, port).ask("127.0.0.1")
    finally:
        await runner.cleanup()
    return told.health, told.error


async def test_a_report_is_read(session: aiohttp.ClientSession) -> None:
    health = report(instance()).health
    assert health is not None
    assert await asked(session, web.json_response(health.as_json())) == (health, None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(status=500), "answered 500"),
        (web.json_response({}), "instances is no list"),
        (web.Response(text="<html>"), "JSONDecodeError"),
    ],
)
async def test_anything_else_is_said(session: aiohttp.ClientSession, answer: web.Response, said: str) -> None:
    health, error = await asked(session, answer)
    assert health is None
    assert error is not None
    assert said in error


async def test_silence_is_given_up(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "ANSWER_SECONDS", 0.05)
    _, error = await asked(session, None)
    assert error is not None
    assert "did not answer" in error


@pytest.mark.parametrize(("address", "host"), [("127.0.0.1", "http://127.0.0.1:1/"), ("::1", "http://[::1]:1/")])
async def test_a_closed_port_is_said(session: aiohttp.ClientSession, address: str, host: str) -> None:
    told = await HttpGateways(session, 1).ask(address)
    assert told.error is not None
    assert told.error.startswith(host)


CAPTURED = {"instance": "alice", "digest": "d1", "derived_from": None, "bundle_b64": "AAAA"}


async def captured(session: aiohttp.ClientSession, answer: web.Response) -> CapturedSession:
    tokens = []

    async def handle(request: web.Request) -> web.Response:
        tokens.append(request.headers["Authorization"])
        return answer

    app = web.Application()
    app.router.add_get("/internal/session/captured", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        return await HttpGateways(session, runner.addresses[0][1]).captured("127.0.0.1", "the-admin-token")
    finally:
        await runner.cleanup()
        assert tokens == ["Bearer the-admin-token"]


async def test_a_captured_session_is_read(session: aiohttp.ClientSession) -> None:
    assert await captured(session, web.json_response(CAPTURED)) == CapturedSession("d1", None, "AAAA")


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=404),
        web.Response(text="<html>"),
        web.json_response([]),
        web.json_response({**CAPTURED, "digest": 3}),
        web.json_response({**CAPTURED, "bundle_b64": None}),
        web.json_response({**CAPTURED, "derived_from": 3}),
    ],
)
async def test_what_is_no_captured_session_is_refused(session: aiohttp.ClientSession, answer: web.Response) -> None:
    with pytest.raises(GatewayRefused) as caught:
        await captured(session, answer)
    assert "the-admin-token" not in str(caught.value)


async def test_a_gateway_that_cannot_be_reached_gives_no_session(session: aiohttp.ClientSession) -> None:
    with pytest.raises(GatewayRefused, match="ClientConnectorError"):
        await HttpGateways(session, 1).captured("127.0.0.1", "the-admin-token")
