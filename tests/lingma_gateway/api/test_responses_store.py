"""Where responses are stored, and what a gateway does that cannot or may not store them."""

import logging
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from lingma_gateway.sessions.captured import STATE_DIR
from lingma_gateway.sessions.responsefile import FILE_NAME
from tests.lingma_gateway.support_responses import told
from tests.matrix.bench import bench


async def ask(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await client.post("/v1/responses", json={"input": "Hello", **body})


async def test_stored_responses_outlive_the_process_and_go_with_the_work_directory(tmp_path: Path) -> None:
    async with bench(tmp_path) as gateway, gateway.client() as client:
        first = (await ask(client, input="My name is Ada")).json()
    async with bench(tmp_path) as gateway, gateway.client() as client:
        assert (await client.get(f"/v1/responses/{first['id']}")).json() == first
        second = await ask(client, previous_response_id=first["id"])
        assert "Ada" in second.json()["output"][0]["content"][0]["text"]
    shutil.rmtree(tmp_path / "work")
    async with bench(tmp_path) as gateway, gateway.client() as client:
        lost = await ask(client, previous_response_id=first["id"])
        assert (lost.status_code, lost.json()["error"]["code"]) == (400, "previous_response_not_found")


async def test_they_lie_in_the_work_directory_where_only_its_owner_can_read_them(tmp_path: Path) -> None:
    async with bench(tmp_path) as gateway, gateway.client() as client:
        await ask(client, store=False)
        path = gateway.work_dir / STATE_DIR / FILE_NAME
        assert not path.exists()
        await ask(client)
        assert path.stat().st_mode & 0o777 == 0o600


async def test_a_gateway_that_may_not_store_says_so_and_refuses_to_go_on_from_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, responses_store_enabled=False) as gateway, gateway.client() as client:
        created = (await ask(client)).json()
        assert created["store"] is False
        assert not (gateway.work_dir / STATE_DIR / FILE_NAME).exists()
        for method in ("GET", "DELETE"):
            assert (await client.request(method, f"/v1/responses/{created['id']}")).status_code == 404
        refused = await ask(client, previous_response_id=created["id"])
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == "previous_response_id"
        assert "RESPONSES_STORE_ENABLED" in refused.json()["error"]["message"]
        referred = await ask(client, input=[{"type": "item_reference", "id": created["output"][0]["id"]}])
        assert referred.status_code == 400


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_cannot_be_stored_is_given_all_the_same_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    async with bench(tmp_path) as gateway, gateway.client() as client:
        shutil.rmtree(gateway.work_dir / STATE_DIR, ignore_errors=True)
        (gateway.work_dir / STATE_DIR).write_text("no folder")
        with caplog.at_level(logging.ERROR):
            answer = await ask(client, stream=stream)
        response = told(answer.content)[-1]["response"] if stream else answer.json()
        assert (answer.status_code, response["status"], response["store"]) == (200, "completed", False)
        assert "response_not_stored" in [record.message for record in caplog.records]
        assert (await client.get(f"/v1/responses/{response['id']}")).status_code == 404
        assert (await client.delete(f"/v1/responses/{response['id']}")).status_code == 500


async def test_a_response_that_exceeds_what_may_be_kept_is_not_stored(tmp_path: Path) -> None:
    async with bench(tmp_path, responses_store_max_megabytes=1) as gateway, gateway.client() as client:
        answer = await ask(client, input=f"@sim say ok\n{'x' * 1_100_000}\n@sim say ok")
        assert answer.json()["store"] is False


async def test_a_client_that_leaves_has_nothing_stored(tmp_path: Path) -> None:
    async with bench(tmp_path) as gateway:
        async with gateway.client() as client:
            body = {"input": "@sim say a b c d\n@sim chunks 4\n@sim delay 300000", "stream": True}
            async with client.stream("POST", "/v1/responses", json=body) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        created = line
                        break
        id = created.partition('"id":"')[2].partition('"')[0]
        await gateway.received("chat/stop")
        async with gateway.client() as client:
            assert (await client.get(f"/v1/responses/{id}")).status_code == 404
