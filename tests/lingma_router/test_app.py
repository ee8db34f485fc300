"""Probes, the report, metrics, the log line, and how the router stops."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from lingma_router import cli
from lingma_router.directory import Resource
from tests.lingma_router.conftest import Lines
from tests.lingma_router.support import (
    KEY,
    MASTER,
    FakeKubernetes,
    World,
    free_port,
    listening,
    mount,
    slice_object,
    until,
    world,
)
from tests.lingma_router.test_proxy import Script


async def status(made: World, path: str) -> int:
    async with aiohttp.ClientSession() as prober, prober.get(made.admin + path) as answer:
        return answer.status


async def text(made: World, path: str) -> str:
    async with aiohttp.ClientSession() as prober, prober.get(made.admin + path) as answer:
        return await answer.text()


async def test_a_router_without_a_ready_account_is_ready_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        assert await status(made, "/livez") == 200
        assert await status(made, "/readyz") == 200


async def test_a_router_without_keys_is_not_ready(tmp_path: Path) -> None:
    async with world(tmp_path, master_dir=tmp_path / "nowhere") as made:
        assert await status(made, "/livez") == 200
        assert await status(made, "/readyz") == 503
        assert "cannot be read yet" in await text(made, "/readyz")
        async with made.post({}) as answer:
            assert answer.status == 401


async def test_a_router_that_has_listed_nothing_is_not_ready(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.router.watchers._all[0].synced.clear()
        assert "not listed yet" in await text(made, "/readyz")


async def test_the_report_shows_accounts_and_no_secret(tmp_path: Path) -> None:
    async with world(tmp_path, "alice", "bob") as made:
        await made.kubernetes.put(Resource.SLICES, slice_object("bob", "127.0.0.12", conditions={"serving": False}))
        await made.ready("alice")
        async with aiohttp.ClientSession() as anyone, anyone.get(made.admin + "/healthz") as answer:
            report = await answer.json()
        assert report["ok"] is True
        assert [(account["name"], account["state"]) for account in report["accounts"]] == [
            ("alice", "ready"),
            ("bob", "not-ready"),
        ]
        shown = await text(made, "/healthz") + await text(made, "/metrics")
        assert KEY not in shown
        assert "uid-alice" not in shown


async def test_the_metrics_count_and_forget(tmp_path: Path) -> None:
    async with world(tmp_path, "alice") as made:
        script = made.gateways["alice"].respond = Script()
        async with made.post({"user": "u"}) as answer:
            during = await text(made, "/metrics")
            script.chunks.put_nowait(None)
            await answer.read()
        await until(lambda: made.router.proxy.active == 0)
        after = await text(made, "/metrics")
    assert 'lingma_router_in_flight{account="alice",namespace="team"} 1.0' in during
    assert 'lingma_router_in_flight{account="alice",namespace="team"} 0.0' in after
    assert "lingma_router_accounts_ready 1.0" in after
    assert 'lingma_router_requests_total{dialect="openai",status="200"} 1.0' in after
    assert 'lingma_router_placements_total{reason="session"} 1.0' in after


async def test_each_request_is_one_log_line_without_secrets(tmp_path: Path, logged: Lines) -> None:
    async with world(tmp_path, "alice") as made:
        async with made.post({"user": "u"}, "/v1/messages?secret=hidden", **{"x-request-id": "r-1"}) as answer:
            size = len(await answer.read())
        async with made.client.get(made.url + "/nowhere"):
            pass
        await until(lambda: len(logged("access")) == 2)
    served, refused = logged("access")
    elapsed = served.pop("elapsed_ms")
    assert elapsed >= 0
    assert {key: value for key, value in served.items() if key not in ("time", "level", "logger", "event")} == {
        "request_id": "r-1",
        "method": "POST",
        "path": "/v1/messages",
        "status": 200,
        "dialect": "anthropic",
        "account": "alice",
        "namespace": "team",
        "key_id": "team",
        "reason": "session",
        "stream": False,
        "bytes": size,
    }
    assert (refused["status"], refused["problem"]) == (404, "no such path: /nowhere")
    assert "key_id" not in refused


async def test_a_client_that_went_away_is_499(tmp_path: Path, logged: Lines) -> None:
    async with world(tmp_path, "alice") as made:
        script = made.gateways["alice"].respond = Script()
        script.chunks.put_nowait(b"data: 1\n\n")
        async with made.post({}) as answer:
            await answer.content.readany()
            answer.close()
        await until(lambda: bool(logged("access")))
    line = logged("access")[0]
    assert (line["status"], line["stream"], line["bytes"]) == (499, True, 9)


async def test_a_drain_ends_when_the_last_stream_has_ended(tmp_path: Path) -> None:
    async with world(tmp_path, "alice") as made:
        script = made.gateways["alice"].respond = Script()
        running = asyncio.create_task(made.router.run())
        async with made.post({}) as answer:
            made.router.stop.ask()
            await until(lambda: made.router._deaf)
            assert await status(made, "/readyz") == 503
            assert await status(made, "/livez") == 200
            with pytest.raises(aiohttp.ClientConnectorError):
                async with aiohttp.ClientSession() as late, late.get(made.url):
                    pass
            script.chunks.put_nowait(b"data: last\n\n")
            script.chunks.put_nowait(None)
            assert await answer.read() == b"data: last\n\n"
        await asyncio.wait_for(running, 5)


async def test_while_the_news_spreads_new_connections_are_still_served(tmp_path: Path) -> None:
    async with world(tmp_path, "alice", propagation_s=60.0) as made:
        running = asyncio.create_task(made.router.run())
        made.router.stop.ask()
        await until(lambda: made.router.proxy.closing)
        assert await status(made, "/readyz") == 503
        async with made.post({}) as answer:
            assert answer.status == 200
            assert answer.headers["connection"] == "close"
        async with made.client.get(made.url + "/nowhere") as answer:
            assert answer.headers["connection"] == "close"
        made.router.stop.ask()
        await asyncio.wait_for(running, 5)


@pytest.mark.parametrize("insist", [True, False], ids=["at the second signal", "when the time is up"])
async def test_streams_that_do_not_end_are_aborted(tmp_path: Path, logged: Lines, insist: bool) -> None:
    async with world(tmp_path, "alice", drain_s=60.0 if insist else 0.05) as made:
        script = made.gateways["alice"].respond = Script()
        script.chunks.put_nowait(b"data: 1\n\n")
        running = asyncio.create_task(made.router.run())
        async with made.post({}) as answer:
            await answer.content.readany()
            made.router.stop.ask()
            if insist:
                await until(lambda: made.router._deaf)
                made.router.stop.ask()
            with pytest.raises(aiohttp.ClientError):
                await answer.content.read()
        await asyncio.wait_for(running, 5)
        await until(lambda: bool(logged("access")))
        assert made.router.loads.counts == {}
    assert logged("access")[0]["problem"] == "the drain's time was up"


async def test_a_failure_in_the_background_ends_the_router(tmp_path: Path) -> None:
    async with world(tmp_path) as made:

        def refresh() -> bool:
            raise RuntimeError("unforeseen")

        made.router.keys.refresh = refresh  # type: ignore[method-assign]
        with pytest.raises(ExceptionGroup):
            await asyncio.wait_for(made.router.run(), 5)


async def test_what_nobody_foresaw_is_a_500_in_the_callers_form(tmp_path: Path, logged: Lines) -> None:
    async def unforeseen(request: web.Request) -> web.StreamResponse:
        raise AssertionError("never called")

    async with world(tmp_path, "alice") as made:

        class Broken:
            current = property(lambda self: 1 / 0)

        made.router.proxy._keys = Broken()  # type: ignore[assignment]
        async with made.post({}, "/v1/messages") as answer:
            assert answer.status == 500
            assert (await answer.json())["error"]["type"] == "api_error"
    assert logged("request-failed")[0]["error"] == "ZeroDivisionError"


def test_a_wrong_environment_ends_with_one_line_and_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "x")
    monkeypatch.setenv("LINGMA_DRAIN_SECONDS", "long")
    assert cli.main() == 2
    assert capsys.readouterr().err == "lingma-router: LINGMA_DRAIN_SECONDS: 'long' is not a number of seconds\n"


async def test_the_program_serves_until_sigterm_and_ends_with_0(tmp_path: Path) -> None:
    kubernetes = FakeKubernetes()
    mount(tmp_path / "keys", {"team": KEY.encode()})
    mount(tmp_path / "master", {"current": MASTER})
    async with listening(kubernetes.handle) as port:
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        admin = free_port()
        environ = {
            "KUBECONFIG": str(tmp_path / "kubeconfig"),
            "POD_NAMESPACE": "team",
            "LINGMA_API_KEYS_DIR": str(tmp_path / "keys"),
            "LINGMA_MASTER_DIR": str(tmp_path / "master"),
            "LINGMA_HOST": "127.0.0.1",
            "LINGMA_CLIENT_PORT": str(free_port()),
            "LINGMA_ADMIN_PORT": str(admin),
            "LINGMA_DRAIN_PROPAGATION_SECONDS": "0",
        }
        program = (sys.executable, "-m", "lingma_router.cli")
        process = await asyncio.create_subprocess_exec(*program, env=environ, stdout=PIPE, stderr=PIPE)
        try:
            assert process.stdout is not None
            for _ in range(4):  # keys-loaded, listening, and two lists, in some order
                seen = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
                assert seen["level"] == "info"
            async with aiohttp.ClientSession() as prober, prober.get(f"http://127.0.0.1:{admin}/readyz") as answer:
                assert answer.status == 200
            process.send_signal(signal.SIGTERM)
            out, err = await asyncio.wait_for(process.communicate(), 10)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert (process.returncode, err) == (0, b"")
        assert b'"event":"drained"' in out
