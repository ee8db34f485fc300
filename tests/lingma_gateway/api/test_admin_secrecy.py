"""Tokens are planted in a login, and looked for in every answer, every log line and every metric."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from lingma_gateway.api import admin
from lingma_gateway.errors import UpstreamRefused
from lingma_gateway.lingma import infofile
from lingma_gateway.lingma.connection import open_connection
from tests.lingma_gateway.api.test_admin import CHAT, ROUTES
from tests.support.sidecar import Sidecar, sidecar, write_login

PLANTED = {
    "security_oauth_token": "pt-plantedsecuritytoken0123456789abcdef",
    "refresh_token": "rt-plantedrefreshtoken0123456789abcdef",
    "key": "plantedkey0123456789abcdef",
    "encrypt_user_info": "plantedencrypteduserinfo0123456789abcdef",
}


def answers(running: Sidecar) -> list[httpx.Response]:
    """Of every admin route but the export, of metrics, health and a chat."""
    requests = [
        *((running.admin, method, path) for method, path in ROUTES if not path.startswith("/internal/session/")),
        *((running.admin, "GET", path) for path in ("/metrics", "/healthz", "/internal/nothing")),
    ]
    found = [client.request(method, path) for client, method, path in requests]
    return [*found, running.client.post("/v1/chat/completions", json=CHAT), running.client.get("/v1/models")]


def test_no_answer_log_line_or_metric_holds_a_token(tmp_path: Path) -> None:
    write_login(tmp_path / "work", **PLANTED)
    with sidecar(tmp_path) as running:
        texts = [response.text + str(response.headers) for response in answers(running)]
        exported = running.admin.post("/internal/session/export")
        assert exported.status_code == 200
        captured = running.admin.get("/internal/session/captured")
        assert captured.status_code == 200
        running.program.terminate()
        logged = "".join(running.program.lines)
    assert "session_exported" in logged
    # At debug, a library's own log of frames would show their beginnings and ends.
    assert '"level":"debug"' in logged
    assert "jsonrpc" not in logged
    for where in (*texts, logged, exported.text, captured.text):
        for token in (
            *PLANTED.values(),
            running.admin.headers["Authorization"],
            running.client.headers["Authorization"],
        ):
            assert token.removeprefix("Bearer ") not in where
    # In the log there is no trace of the bundles either.
    assert exported.json()["bundle_b64"][:40] not in logged
    assert captured.json()["bundle_b64"][:40] not in logged


async def test_the_planted_tokens_are_what_lingma_tells(tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    write_login(tmp_path / "work", **PLANTED)
    with sidecar(tmp_path):
        info = infofile.read(tmp_path / "work")
        assert info is not None
        opened = open_connection(info.port, process_id=None, rpc_timeout_s=5, on_push=lambda method, params: None)
        async with opened as (connection, _):
            status = await connection.request("auth/status", {})
    assert status["token"] == PLANTED["security_oauth_token"]
    assert status["refreshToken"] == PLANTED["refresh_token"]


class Refusing:
    """A Lingma that quotes what it was sent."""

    async def request(self, method: str, params: dict[str, Any], timeout_s: float | None = None) -> Any:
        raise UpstreamRefused(f"Lingma refused {method}: invalid token {PLANTED['refresh_token']}")


async def test_what_lingma_says_when_it_refuses_is_not_passed_on() -> None:
    with pytest.raises(UpstreamRefused) as caught:
        await admin.asked(Refusing(), "auth/status")
    assert caught.value.message == "Lingma refused auth/status: see its log"
