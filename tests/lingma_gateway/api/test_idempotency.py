"""Requests with an `Idempotency-Key`, over the application."""

import asyncio
from typing import Any

import httpx
import pytest

from lingma_gateway.errors import UpstreamLost
from lingma_gateway.events import PartKind
from lingma_gateway.services import Services
from lingma_gateway.sharing import SharingSettings
from tests.lingma_gateway.support_app import client_of, scripted, services_of
from tests.lingma_gateway.support_events import answer
from tests.lingma_gateway.support_pool import Account, until

CHAT = "/v1/chat/completions"
EVENTS = answer([(PartKind.TEXT, "Hello there")])


def body(stream: bool = False, text: str = "Hello") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "stream": stream}


async def ask(client: httpx.AsyncClient, key: str = "key-1", api_key: str = "sk-a", **fields: Any) -> httpx.Response:
    return await client.post(CHAT, json=body(**fields), headers={"x-api-key": api_key, "idempotency-key": key})


def usage_of(services: Services, key: str = "team-a") -> dict[str, int]:
    found: dict[str, int] = services.usage.as_json()["keys"].get(key, {})
    return found


@pytest.mark.parametrize("stream", [False, True])
async def test_the_same_request_gets_the_same_answer_byte_for_byte_and_is_counted_once(stream: bool) -> None:
    services, turns = services_of(Account("alice"))
    turns.script = scripted(EVENTS[:3], EVENTS[3:])
    async with client_of(services) as client:
        first = await ask(client, stream=stream)
        again = await ask(client, stream=stream)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert turns.begun == 1
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-lingma-account"] == "alice"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert usage_of(services)["turns"] == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_while_the_first_one_runs_joins_it(stream: bool) -> None:
    services, turns = services_of(Account("alice", slots=1))
    goes_on = asyncio.Event()
    turns.script = scripted(EVENTS[:3], EVENTS[3:], then=goes_on)
    async with client_of(services) as client:
        first = asyncio.create_task(ask(client, stream=stream))
        await until(lambda: turns.begun)
        second = asyncio.create_task(ask(client, stream=stream))
        goes_on.set()
        answers = await asyncio.gather(first, second)
    assert answers[0].content == answers[1].content
    assert turns.begun == 1


async def test_a_turn_outlives_the_connection_of_its_client_until_the_retry_comes() -> None:
    services, turns = services_of(Account("alice", slots=1))
    goes_on = asyncio.Event()
    turns.script = scripted(EVENTS[:3], EVENTS[3:], then=goes_on)
    async with client_of(services) as client:
        first = asyncio.create_task(ask(client))
        await until(lambda: turns.begun)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        goes_on.set()
        retried = await ask(client)
    assert retried.json()["choices"][0]["message"]["content"] == "Hello there"
    assert (turns.begun, turns.stopped) == (1, 0)
    assert usage_of(services)["turns"] == 1


async def test_a_turn_that_nobody_comes_back_for_is_stopped_and_counted_as_cancelled() -> None:
    services, turns = services_of(Account("alice", slots=1), sharing=SharingSettings(grace_s=0))
    turns.script = scripted(EVENTS[:3], EVENTS[3:], then=asyncio.Event())
    async with client_of(services) as client:
        first = asyncio.create_task(ask(client))
        await until(lambda: turns.begun)
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await until(lambda: usage_of(services))
    assert turns.stopped == 1
    assert usage_of(services)["cancelled"] == 1
    assert services.pool.in_flight == 0


async def test_a_failure_is_not_repeated() -> None:
    services, turns = services_of(Account("alice"))
    turns.script = scripted(then=UpstreamLost("gone"))
    async with client_of(services) as client:
        assert (await ask(client)).status_code == 502
        turns.script = scripted(EVENTS)
        retried = await ask(client)
    assert retried.status_code == 200
    assert "idempotent-replayed" not in retried.headers
    assert usage_of(services) | {"turns": 2, "failed": 1} == usage_of(services)


async def test_another_request_under_the_same_key_is_refused_and_is_not_worth_repeating() -> None:
    services, turns = services_of(Account("alice"))
    turns.script = scripted(EVENTS)
    async with client_of(services) as client:
        await ask(client)
        refused = await ask(client, text="Something else")
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "idempotency_key_reused"
    assert refused.json()["error"]["param"] == "Idempotency-Key"
    assert refused.headers["x-should-retry"] == "false"


async def test_keys_belong_to_the_api_key_that_used_them() -> None:
    services, turns = services_of(Account("alice"))
    turns.script = scripted(EVENTS)
    async with client_of(services) as client:
        first, other = await ask(client), await ask(client, api_key="sk-b", text="Something else")
    assert (first.status_code, other.status_code) == (200, 200)
    assert turns.begun == 2


async def test_requests_without_a_key_or_where_it_is_switched_off_run_each_for_itself() -> None:
    services, turns = services_of(Account("alice"), sharing=SharingSettings(max_answers=0))
    turns.script = scripted(EVENTS)
    async with client_of(services) as client:
        for key in ("", "key-1", "key-1"):
            assert (await ask(client, key=key)).status_code == 200
    assert turns.begun == 3
    assert usage_of(services)["turns"] == 3


async def test_a_key_that_is_too_long_is_refused() -> None:
    async with client_of(services_of(Account("alice"))[0]) as client:
        refused = await ask(client, key="k" * 256)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "Idempotency-Key"


OTHERS: dict[str, dict[str, Any]] = {
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]},
    "/v1/responses": {"input": "Hello"},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", OTHERS)
async def test_the_other_apis_repeat_their_answers_too(path: str, stream: bool) -> None:
    services, turns = services_of(Account("alice"))
    turns.script = scripted(EVENTS[:3], EVENTS[3:])
    headers = {"x-api-key": "sk-a", "idempotency-key": "key-1"}
    async with client_of(services) as client:
        answers = [await client.post(path, json={**OTHERS[path], "stream": stream}, headers=headers) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert turns.begun == 1


async def test_a_key_that_was_used_for_one_api_is_refused_for_another() -> None:
    services, turns = services_of(Account("alice"))
    turns.script = scripted(EVENTS)
    headers = {"x-api-key": "sk-a", "idempotency-key": "key-1"}
    async with client_of(services) as client:
        first, other = [await client.post(path, json=asked, headers=headers) for path, asked in OTHERS.items()]
    assert (first.status_code, other.status_code) == (200, 422)
