"""One request through the router."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from lingma_contract import ids
from lingma_contract.ids import Kind
from lingma_router.credentials import Credentials
from lingma_router.directory import Resource
from tests.lingma_router.conftest import Lines
from tests.lingma_router.support import (
    KEY,
    MASTER,
    World,
    account_object,
    connected,
    echo,
    mount,
    slice_object,
    until,
    world,
)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, "alice", "bob") as made:
        yield made


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, "alice", max_body_bytes=2**20) as made:
        yield made


class Script:
    """A streamed answer that goes on when the test says so."""

    def __init__(self, ending: str = "proper") -> None:
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.ending = ending

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        while (chunk := await self.chunks.get()) is not None:
            await response.write(chunk)
        if self.ending == "broken":
            assert request.transport is not None
            request.transport.abort()
        return response


async def test_a_body_arrives_byte_for_byte(one: World) -> None:
    body = b'{"b" : 1,\r\n "a":"\\u00e9\xc3\xa9", "a": 2 }\n'
    url = URL(one.url + "/v1/chat/completions?beta=true&x=%2F", encoded=True)
    async with one.client.post(url, data=body) as answer:
        assert await answer.read() == body
    gateway = one.gateways["alice"]
    assert gateway.bodies == [body]
    assert gateway.received[0].raw_path == "/v1/chat/completions?beta=true&x=%2F"


async def test_a_compressed_body_and_answer_stay_compressed(one: World) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\x1f\x8bnot-really", headers={"content-encoding": "gzip"})

    one.gateways["alice"].respond = respond
    async with aiohttp.ClientSession(auto_decompress=False) as raw:
        headers = {"authorization": f"Bearer {KEY}", "content-encoding": "gzip"}
        async with raw.post(one.url + "/v1/messages", data=b"\x1f\x8bwhatever", headers=headers) as answer:
            assert await answer.read() == b"\x1f\x8bnot-really"
            assert answer.headers["content-encoding"] == "gzip"
    assert one.gateways["alice"].received[0].headers["content-encoding"] == "gzip"


async def test_the_gateway_sees_the_key_id_and_no_secret_of_the_client(one: World) -> None:
    spoofed = {"x-lingma-key-id": "root", "x-lingma-anything": "1", "x-api-key": KEY, "cookie": "a=b"}
    async with one.post({}, **spoofed) as answer:
        assert answer.status == 200
    seen = one.gateways["alice"].received[0].headers
    assert seen["x-lingma-key-id"] == "team"
    assert "x-lingma-anything" not in seen
    assert "x-api-key" not in seen
    assert "cookie" not in seen
    assert KEY not in str(seen)
    assert "accept-encoding" in seen  # of the client; the router adds none


async def test_nothing_is_added_that_the_client_did_not_send(one: World) -> None:
    request = f"GET /v1/models HTTP/1.1\r\nHost: h\r\nx-api-key: {KEY}\r\nConnection: close\r\n\r\n"
    async with connected(one.router.client_port, request) as reader:
        assert b"200 OK" in await reader.read()
    seen = {name.lower() for name in one.gateways["alice"].received[0].headers}
    assert seen == {"host", "x-lingma-key-id", "x-request-id", "authorization"}


async def test_an_answer_names_its_account_and_how_to_come_back(two: World) -> None:
    async with two.post({"user": "u"}) as answer:
        account, token = answer.headers["x-lingma-account"], answer.headers["x-lingma-affinity"]
        assert answer.headers["x-lingma-reason"] == "session"
        assert answer.headers["x-lingma-model"] == "m"
        assert answer.headers["server"] == "gw"
        assert "x-codex-turn-state" not in answer.headers
    other = "bob" if account == "alice" else "alice"
    for number in range(5):
        async with two.post({"user": f"v{number}"}, **{"x-lingma-affinity": token}) as answer:
            assert answer.headers["x-lingma-account"] == account
            assert answer.headers["x-lingma-reason"] == "token"
    assert two.gateways[other].received == []


async def test_codex_gets_the_token_as_its_turn_state(two: World) -> None:
    async with two.post({"input": "hi"}, "/v1/responses") as answer:
        state = answer.headers["x-codex-turn-state"]
        assert state == answer.headers["x-lingma-affinity"]
        assert re.fullmatch(r"aff_[A-Za-z0-9_-]{28}", state)


async def test_the_turns_of_a_conversation_stay_and_conversations_spread(two: World) -> None:
    served = set()
    for number in range(20):
        opening = {"role": "user", "content": f"question {number}"}
        homes = set()
        for turn in range(3):
            body = {"messages": [opening, *[{"role": "assistant", "content": "a"}] * turn]}
            async with two.post(body) as answer:
                homes.add(answer.headers["x-lingma-account"])
        assert len(homes) == 1
        served |= homes
    assert served == {"alice", "bob"}


async def test_a_retry_with_the_same_idempotency_key_finds_the_gateway_that_has_the_first_request(two: World) -> None:
    for number in range(10):
        body = {"messages": [{"role": "user", "content": f"question {number}"}]}
        key = {"idempotency-key": f"key-{number}", "x-stainless-retry-count": "1"}
        homes = set()
        for _ in range(3):
            async with two.post(body, **key) as answer:
                homes.add(answer.headers["x-lingma-account"])
        assert len(homes) == 1
        seen = [request for name in homes for request in two.gateways[name].received][-3:]
        assert [request.headers["idempotency-key"] for request in seen] == [f"key-{number}"] * 3
        assert len({await request.read() for request in seen}) == 1


async def test_a_stream_is_passed_on_chunk_by_chunk(one: World) -> None:
    script = one.gateways["alice"].respond = Script()
    async with one.post({"stream": True}) as answer:
        assert answer.content_type == "text/event-stream"
        for number in range(5):
            chunk = f"data: {number}\n\n".encode()
            script.chunks.put_nowait(chunk)
            assert await asyncio.wait_for(answer.content.readany(), 5) == chunk
        script.chunks.put_nowait(None)
        assert await answer.content.read() == b""
    await until(lambda: one.router.loads.counts == {})


async def test_a_client_that_goes_away_cancels_the_upstream(one: World) -> None:
    script = one.gateways["alice"].respond = Script()
    async with one.post({"stream": True}) as answer:
        script.chunks.put_nowait(b"data: 1\n\n")
        await answer.content.readany()
        assert one.router.loads.counts == {"uid-alice": 1}
        answer.close()
    await asyncio.wait_for(one.gateways["alice"].cancelled.wait(), 1)
    await until(lambda: one.router.loads.counts == {} and one.router.proxy.active == 0)


async def test_a_client_that_goes_away_before_any_answer_cancels_too(one: World) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    one.gateways["alice"].respond = hang
    asking = asyncio.create_task(one.post({}).__aenter__())
    await until(lambda: one.gateways["alice"].running == 1)
    asking.cancel()
    await asyncio.wait_for(one.gateways["alice"].cancelled.wait(), 1)
    await until(lambda: one.router.loads.counts == {})


async def test_a_truncated_answer_never_ends_cleanly(one: World) -> None:
    script = one.gateways["alice"].respond = Script("broken")
    script.chunks.put_nowait(b"data: 1\n\n")
    async with one.post({"stream": True}) as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        script.chunks.put_nowait(None)
        with pytest.raises(aiohttp.ClientError):
            await answer.content.read()
    await until(lambda: one.router.proxy.active == 0)


async def test_a_silent_upstream_is_given_up_in_mid_answer(tmp_path: Path) -> None:
    async with world(tmp_path, "alice", idle_timeout_s=0.05) as made:
        script = made.gateways["alice"].respond = Script()
        script.chunks.put_nowait(b"data: 1\n\n")
        async with made.post({"stream": True}) as answer:
            with pytest.raises(aiohttp.ClientError):
                await answer.read()
        await asyncio.wait_for(made.gateways["alice"].cancelled.wait(), 5)


async def test_a_client_that_stops_reading_does_not_keep_its_slot(tmp_path: Path, logged: Lines) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        while True:
            await response.write(b"data: x\n\n" * 10_000)

    async with world(tmp_path, "alice", idle_timeout_s=0.2) as made:
        made.gateways["alice"].respond = flood
        request = f"GET /v1/models HTTP/1.1\r\nhost: h\r\nx-api-key: {KEY}\r\n\r\n"
        async with connected(made.router.client_port, request):  # which reads 128 KiB ahead and then no more
            await asyncio.wait_for(made.gateways["alice"].cancelled.wait(), 5)
            await until(lambda: made.router.loads.counts == {})
    assert logged("access")[0]["problem"] == "the client stopped reading"


async def test_an_old_client_cannot_mistake_a_reset_for_the_end(one: World) -> None:
    script = one.gateways["alice"].respond = Script("broken")
    script.chunks.put_nowait(b"data: 1\n\n")
    async with connected(one.router.client_port, f"GET /v1/models HTTP/1.0\r\nx-api-key: {KEY}\r\n\r\n") as reader:
        await reader.readuntil(b"data: 1\n\n")
        script.chunks.put_nowait(None)
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_refused_connection_moves_a_soft_request_and_rests_the_endpoint(two: World) -> None:
    await two.kubernetes.put(Resource.SLICES, slice_object("bob", "127.0.0.99"))
    await until(lambda: two.router.directory.snapshot.ready["uid-bob"].address.startswith("127.0.0.99"))  # type: ignore[union-attr]
    reasons = []
    for number in range(20):
        async with two.post({"user": f"u{number}"}) as answer:
            assert answer.status == 200
            assert answer.headers["x-lingma-account"] == "alice"
            reasons.append(answer.headers["x-lingma-reason"])
    assert reasons.count("session-moved") == 1
    assert two.router.loads.counts == {}


async def test_a_hard_request_is_not_moved(two: World) -> None:
    stored = an_id(Kind.RESPONSE, "bob")
    await two.kubernetes.put(Resource.SLICES, slice_object("bob", "127.0.0.99"))
    await until(lambda: two.router.directory.snapshot.ready["uid-bob"].address.startswith("127.0.0.99"))  # type: ignore[union-attr]
    async with two.post({"previous_response_id": stored}, "/v1/responses") as answer:
        assert answer.status == 502
        assert (await answer.json())["error"]["message"] == "account bob: its gateway cannot be reached"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert two.gateways["alice"].received == []


async def test_with_one_account_a_refused_connection_is_said(tmp_path: Path) -> None:
    async with world(tmp_path, "alice") as made:
        await made.kubernetes.put(Resource.SLICES, slice_object("alice", "127.0.0.99"))
        await until(lambda: made.router.directory.snapshot.ready["uid-alice"].address.startswith("127.0.0.99"))  # type: ignore[union-attr]
        for _ in range(2):
            async with made.post({}) as answer:
                assert answer.status == 502


async def test_what_may_have_been_processed_is_not_sent_twice(two: World) -> None:
    async def die(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    for gateway in two.gateways.values():
        gateway.respond = die
    async with two.post({}) as answer:
        assert answer.status == 502
        assert "broke off before it answered" in (await answer.json())["error"]["message"]
    assert sum(len(gateway.received) for gateway in two.gateways.values()) == 1
    assert two.router.loads.counts == {}


@pytest.mark.parametrize("status", [503, 529])
async def test_a_gateway_that_is_not_ready_passes_a_soft_request_on(two: World, status: int) -> None:
    async def not_ready(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    two.gateways["alice"].respond = not_ready
    for number in range(8):
        async with two.post({"user": f"u{number}"}) as answer:
            assert (answer.status, answer.headers["x-lingma-account"]) == (200, "bob")
    two.gateways["bob"].respond = not_ready
    async with two.post({"user": "u"}) as answer:
        assert answer.status == status
    async with two.post({"previous_response_id": an_id(Kind.RESPONSE, "alice")}, "/v1/responses") as answer:
        assert (answer.status, answer.headers["x-lingma-account"]) == (status, "alice")


async def test_the_previous_master_opens_a_gateway_that_has_no_newer_one(one: World) -> None:
    mount(one.folder / "master", {"current": b"n" * 32, "previous": MASTER})
    before = one.router.keys.current
    await until(lambda: one.router.keys.current is not before)
    async with one.post({}) as answer:
        assert answer.status == 200


async def test_a_gateway_that_knows_no_token_is_not_the_clients_fault(two: World) -> None:
    two.gateways["alice"].masters = (b"x" * 32,)
    for number in range(6):
        async with two.post({"user": f"u{number}"}) as answer:
            assert (answer.status, answer.headers["x-lingma-account"]) == (200, "bob")
    two.gateways["bob"].masters = ()
    async with two.post({}) as answer:
        assert answer.status == 502
        assert "does not accept this router's token" in (await answer.json())["error"]["message"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk-wrong"}, {"x-api-key": "sk-wrong"}])
async def test_without_a_valid_key_it_is_401_in_both_dialects(one: World, headers: dict[str, str]) -> None:
    async with aiohttp.ClientSession(headers=headers) as stranger:
        async with stranger.post(one.url + "/v1/chat/completions", data=b"{}") as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["code"] == "invalid_api_key"
            assert answer.headers["x-should-retry"] == "false"
        async with stranger.post(one.url + "/v1/messages", data=b"{}") as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["type"] == "authentication_error"
        async with stranger.get(one.url + "/v1/models", headers={"anthropic-version": "2023-06-01"}) as answer:
            assert (await answer.json())["type"] == "error"
    assert one.gateways["alice"].received == []


async def test_either_header_carries_the_key(one: World) -> None:
    async with aiohttp.ClientSession() as anyone:
        for headers in ({"x-api-key": KEY}, {"authorization": f"bearer {KEY}"}):
            async with anyone.get(one.url + "/v1/models", headers=headers) as answer:
                assert answer.status == 200


@pytest.mark.parametrize("path", ["/internal/session", "/metrics", "/healthz", "/", "/v1/%2e%2e/internal/session"])
async def test_nothing_but_the_apis_is_forwarded(one: World, path: str) -> None:
    async with one.client.get(URL(one.url + path, encoded=True)) as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "not_found"
    async with one.client.head(one.url + "/api/hello") as answer:
        assert answer.status == 404
    assert one.gateways["alice"].received == []


@pytest.mark.parametrize(
    "head", ["GET /v1/models b c HTTP/1.1\r\nHost: h", "GET /v1/models HTTP/1.1\r\nHost: h\r\ncontent-length: -1"]
)
async def test_what_is_no_http_is_400_in_form(one: World, head: str) -> None:
    async with connected(one.router.client_port, f"{head}\r\n\r\n") as reader:
        answered, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b" 400 " in answered.splitlines()[0]
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert json.loads(body)["request_id"].encode() in answered
    assert one.gateways["alice"].received == []


async def test_a_websocket_is_sent_back_to_http(one: World) -> None:
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "x"}
    async with one.client.get(one.url + "/v1/responses", headers=upgrade) as answer:
        assert answer.status == 426


async def test_a_body_too_long_is_413_said_or_counted(one: World) -> None:
    async with one.client.post(one.url + "/v1/messages", data=BytesIO(b" " * (2**20 + 1))) as answer:
        assert answer.status == 413
        assert (await answer.json())["error"]["type"] == "request_too_large"

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65536

    async with one.client.post(one.url + "/v1/chat/completions", data=pieces()) as answer:
        assert answer.status == 413
    async with one.client.post(one.url + "/v1/chat/completions", data=BytesIO(b" " * 2**20)) as answer:
        assert (answer.status, len(await answer.read())) == (200, 2**20)


async def test_a_body_that_does_not_come_is_408(tmp_path: Path) -> None:
    async with world(tmp_path, "alice", idle_timeout_s=0.05) as made:
        request = f"POST /v1/messages HTTP/1.1\r\nHost: h\r\nx-api-key: {KEY}\r\ncontent-length: 9\r\n\r\n{{"
        async with connected(made.router.client_port, request) as reader:
            assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)


async def test_a_client_that_waits_for_100_gets_it(one: World) -> None:
    async with one.client.post(one.url + "/v1/messages", data=b"{}", expect100=True) as answer:
        assert await answer.read() == b"{}"
    assert "expect" not in one.gateways["alice"].received[0].headers


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("DELETE", 204), ("GET", 304), ("OPTIONS", 200)])
async def test_answers_without_a_body_are_whole(one: World, method: str, status: int) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"x-own": "1"})

    one.gateways["alice"].respond = respond
    for _ in range(2):  # the second on the same connection
        async with one.client.request(method, one.url + "/v1/models/m") as answer:
            assert (answer.status, await answer.read(), answer.headers["x-own"]) == (status, b"", "1")
    assert one.gateways["alice"].received[0].method == method


async def test_a_long_body_goes_through_whole(one: World) -> None:
    body = bytes(range(256)) * 3000
    async with one.client.post(one.url + "/v1/messages", data=body) as answer:
        assert await answer.read() == body


async def test_headers_that_come_twice_stay_two(one: World) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.Response()
        response.headers.add("x-lingma-ignored", "a" * 20_000)
        response.headers.add("x-lingma-ignored", "b")
        return response

    one.gateways["alice"].respond = respond
    async with aiohttp.ClientSession(max_field_size=65536) as client:
        headers = [("x-api-key", KEY), ("anthropic-beta", "one"), ("anthropic-beta", "two")]
        async with client.post(one.url + "/v1/messages", headers=headers) as answer:
            assert answer.headers.getall("x-lingma-ignored") == ["a" * 20_000, "b"]
    assert one.gateways["alice"].received[0].headers.getall("anthropic-beta") == ["one", "two"]


async def test_the_request_id_is_kept_or_made_and_always_returned(one: World) -> None:
    async with one.post({}, **{"x-request-id": "mine-1"}) as answer:
        assert answer.headers["x-request-id"] == "mine-1"
    async with one.post({}, **{"x-request-id": "not safe {}"}) as answer:
        made = answer.headers["x-request-id"]
        assert made.startswith("req-")
    assert [request.headers["x-request-id"] for request in one.gateways["alice"].received] == ["mine-1", made]
    async with one.client.get(one.url + "/nowhere", headers={"x-request-id": "mine-2"}) as answer:
        assert answer.headers["x-request-id"] == "mine-2"
        assert (await answer.json())["request_id"] == "mine-2"


async def test_the_gateways_own_errors_pass_as_they_are(one: World) -> None:
    async def busy(request: web.Request) -> web.StreamResponse:
        return web.Response(status=429, body=b"{busy}", headers={"retry-after": "7", "x-request-id": "of the gateway"})

    one.gateways["alice"].respond = busy
    async with one.post({}, **{"x-request-id": "mine"}) as answer:
        assert (answer.status, await answer.read(), answer.headers["retry-after"]) == (429, b"{busy}", "7")
        assert answer.headers.getall("x-request-id") == ["mine"]


def an_id(kind: Kind, account: str, key_id: str = "team") -> str:
    uid = f"uid-{account}"
    return ids.mint(kind, uid, Credentials((MASTER,)).of(uid).signing_keys[0], key_id)


async def test_state_that_is_nowhere_is_said_in_openais_words(two: World) -> None:
    async with two.post({"previous_response_id": "resp_gone"}, "/v1/responses") as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == {
            "message": "Previous response with id 'resp_gone' not found.",
            "type": "invalid_request_error",
            "param": "previous_response_id",
            "code": "previous_response_not_found",
        }
    async with two.client.get(two.url + "/v1/responses/resp_gone") as answer:
        assert answer.status == 404
    foreign = an_id(Kind.RESPONSE, "alice", key_id="other")
    async with two.client.get(f"{two.url}/v1/responses/{foreign}") as answer:
        assert answer.status == 404


async def test_state_of_an_account_that_is_not_ready_is_waited_for(two: World) -> None:
    stored = an_id(Kind.RESPONSE, "alice")
    await two.kubernetes.put(Resource.SLICES, slice_object("alice", "127.0.0.11", conditions={"serving": False}))
    await two.ready("bob")
    async with two.client.get(f"{two.url}/v1/responses/{stored}") as answer:
        assert answer.status == 503
        assert "is not ready" in (await answer.json())["error"]["message"]
        assert "retry-after" in answer.headers
    async with two.post({"messages": [{"role": "tool", "tool_call_id": an_id(Kind.CALL, "alice")}]}) as answer:
        assert (answer.status, answer.headers["x-lingma-account"]) == (200, "bob")


async def test_without_a_ready_account_the_answer_says_so_in_each_form(two: World) -> None:
    for name, gateway in two.gateways.items():
        await two.kubernetes.put(Resource.SLICES, slice_object(name, gateway.host, conditions={"serving": False}))
    await two.ready()
    async with two.post({}) as answer:
        assert answer.status == 503
        assert (await answer.json())["error"]["message"] == "no Lingma account is ready (0 of 2)"
        assert 3 <= int(answer.headers["retry-after"]) <= 7
    async with two.post({}, "/v1/messages") as answer:
        assert answer.status == 529
        assert (await answer.json())["error"]["type"] == "overloaded_error"
    for name in two.gateways:
        await two.kubernetes.remove(Resource.ACCOUNTS, account_object(name))
    await until(lambda: not two.router.directory.snapshot.accounts)
    async with two.post({}) as answer:
        assert "no LingmaAccount exists" in (await answer.json())["error"]["message"]


async def test_a_new_api_key_works_without_a_restart_and_an_old_one_stops(one: World) -> None:
    mount(one.folder / "keys", {"team": b"sk-rotated"})
    before = one.router.keys.current
    await until(lambda: one.router.keys.current is not before)
    async with one.post({}) as answer:
        assert answer.status == 401
    async with one.post({}, authorization="Bearer sk-rotated") as answer:
        assert answer.status == 200


async def test_no_slot_is_lost_in_a_mixture_of_endings(two: World) -> None:
    async def fail(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def endless(request: web.Request) -> web.StreamResponse:
        return await Script()(request)

    endings = [echo, fail, endless]
    for gateway in two.gateways.values():
        gateway.respond = lambda request: endings[int(request.headers["x-number"]) % 3](request)

    async def ask(number: int) -> None:
        try:
            async with asyncio.timeout(0.02 + number % 7 / 200), two.post({}, **{"x-number": str(number)}) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return

    await asyncio.gather(*(ask(number) for number in range(150)))
    await until(lambda: two.router.proxy.active == 0)
    assert two.router.loads.counts == {}
    await until(lambda: all(gateway.running == 0 for gateway in two.gateways.values()))


async def test_without_a_ready_account_what_needs_no_login_is_answered_and_the_rest_is_not(one: World) -> None:
    host = one.gateways["alice"].host
    idle = slice_object("alice", host, conditions={"ready": True, "serving": False, "terminating": False})
    await one.kubernetes.put(Resource.SLICES, idle)
    await one.ready()
    async with one.post({}, "/v1/messages/count_tokens") as answer:
        assert (answer.status, answer.headers["x-lingma-account"]) == (200, "alice")
    for path in ("/v1/models", "/v1/models/claude-sonnet-4-5"):
        async with one.client.get(one.url + path) as answer:
            assert answer.status == 200
    async with one.post({}, "/v1/messages") as answer:
        assert answer.status == 529
        assert (await answer.json())["error"]["type"] == "overloaded_error"
        assert answer.headers["request-id"] == answer.headers["x-request-id"]


async def test_a_ready_account_is_asked_before_one_that_is_not(two: World) -> None:
    idle = slice_object("alice", two.gateways["alice"].host, conditions={"serving": False})
    await two.kubernetes.put(Resource.SLICES, idle)
    await two.ready("bob")
    for number in range(4):
        async with two.post({"metadata": {"user_id": f"u{number}"}}, "/v1/messages/count_tokens") as answer:
            assert answer.headers["x-lingma-account"] == "bob"
