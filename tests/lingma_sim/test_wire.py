"""The transport, its strictness and the methods, over a real WebSocket."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from tests.lingma_sim.support import Client, client, log_in, log_of, running, talking


def frame(message: dict[str, Any]) -> str:
    body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False)
    return f"Content-Length: {len(body.encode())}\r\n\r\n{body}"


async def test_initialize_names_the_server_and_says_that_it_is_simulated(tmp_path: Path) -> None:
    async with running(tmp_path) as simulator, client(simulator.socket_port, initialize=False) as it:
        assert await it.result("initialize") == {
            "capabilities": {},
            "serverInfo": {"name": "lingma", "version": "2.11.1"},
            "experimental": {"simulator": True},
        }


async def test_nothing_works_before_initialize(tmp_path: Path) -> None:
    async with running(tmp_path) as simulator, client(simulator.socket_port, initialize=False) as it:
        assert (await it.request("ping"))["error"] == {"code": -32002, "message": "server not initialized"}
        await it.request("initialize")
        assert await it.result("ping") == {"success": True}


async def test_initialize_counts_for_its_own_connection_only(tmp_path: Path) -> None:
    async with running(tmp_path) as simulator, client(simulator.socket_port):
        async with client(simulator.socket_port, initialize=False) as second:
            assert "error" in await second.request("ping")


@pytest.mark.parametrize("params", [{"params": []}, {"params": [{}]}, {"params": None}, {}])
@pytest.mark.parametrize("method", ["ping", "auth/status", "config/queryModels", "chat/ask"])
async def test_params_that_are_no_object_get_the_documented_error(
    tmp_path: Path, method: str, params: dict[str, Any]
) -> None:
    async with talking(tmp_path) as (_, it):
        await it.send({"id": 9, "method": method, **params})
        assert (await it.next())["error"] == {
            "code": -32602,
            "message": "json: cannot unmarshal array into Go value of type definition.EmptyRequest",
        }


async def test_an_unknown_method_is_named_in_its_error(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        assert (await it.request("session/new"))["error"] == {"code": -32601, "message": "unknown method: session/new"}


async def test_the_initialized_notification_is_only_logged(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.send({"method": "initialized", "params": {}})
        assert await it.result("ping") == {"success": True}
        assert "unknown method: initialized" in log_of(tmp_path)


@pytest.mark.parametrize("method", ["user/plan", "credit/usage", "model/queryClasses"])
async def test_methods_seen_failing_fail(tmp_path: Path, method: str) -> None:
    async with talking(tmp_path) as (_, it):
        assert (await it.request(method))["error"]["code"] == -32603


async def test_frames_may_be_joined_in_one_message(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.websocket.send("".join(frame({"id": n, "method": "ping", "params": {}}) for n in (7, 8, 9)))
        assert [(await it.next())["id"] for _ in range(3)] == [7, 8, 9]


async def test_a_frame_may_be_split_over_messages_between_any_characters(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        for character in frame({"id": 7, "method": "ping", "params": {"ü": "你好"}}):
            await it.websocket.send(character)
        assert (await it.next())["id"] == 7


async def test_bare_json_is_logged_and_ignored(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.websocket.send('{"jsonrpc":"2.0","id":7,"method":"ping","params":{}}')
        assert await it.result("ping") == {"success": True}
        assert "Unknown message header" in log_of(tmp_path)


async def test_a_body_that_is_no_json_rpc_is_answered_with_an_error(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.websocket.send("Content-Length: 1\r\n\r\n{")
        assert (await it.next())["error"]["code"] == -32700


async def test_a_binary_message_closes_the_connection(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.websocket.send(frame({"id": 7, "method": "ping", "params": {}}).encode())
        with pytest.raises(ConnectionClosedError) as closed:
            await it.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003


async def test_the_websocket_is_at_the_root_only(tmp_path: Path) -> None:
    async with running(tmp_path) as simulator:
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{simulator.socket_port}/ws")


async def test_a_reply_to_nothing_is_logged(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.send({"id": 99, "result": {}})
        await it.result("ping")
        assert "reply to an unknown id" in log_of(tmp_path)


async def test_auth_status_of_a_login_has_every_documented_field(tmp_path: Path) -> None:
    async with talking(tmp_path, "alice") as (_, it):
        status = await it.result("auth/status")
    assert set(status) == {
        *("messageId", "status", "name", "id", "accountId", "token", "refreshToken", "expireTime", "quota"),
        *("whitelist", "orgId", "orgName", "yxUid", "avatarUrl", "email", "userType", "cloudType"),
        "privacyPolicyAgreed",
    }
    assert (status["status"], status["whitelist"], status["id"]) == (2, 3, "alice")
    assert (status["userType"], status["cloudType"]) == ("personal_standard", "cloud")


async def test_models_are_listed_for_a_login(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        models = await it.result("config/queryModels")
    assert set(models) == {"assistant", "chat", "developer", "inline", "quest"}
    chat = {model["key"]: model for model in models["chat"]}
    assert {"org_auto", "dashscope_qwen3_coder", "dashscope_qmodel"} <= set(chat)
    assert [key for key, model in chat.items() if model["isReasoning"]] == ["dashscope_qwen_plus_20250428_thinking"]
    assert [key for key, model in chat.items() if model["isVl"]] == ["dashscope_qmodel"]
    assert [key for key, model in chat.items() if model["isDefault"]] == ["org_auto"]


async def test_logged_out_there_are_no_model_lists_at_all(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as (_, it):
        assert (await it.result("auth/status"))["status"] == 1
        assert await it.result("config/queryModels") == {}


async def test_a_changed_endpoint_is_told_to_every_connection(tmp_path: Path) -> None:
    async with talking(tmp_path, endpoint="https://one.example") as (simulator, it):
        async with client(simulator.socket_port) as other:
            assert await it.result("config/getEndpoint") == {"endpoint": "https://one.example"}
            assert await it.result("config/updateEndpoint", {"endpoint": "https://two.example"}) == {"success": True}
            for each in (it, other):
                [push] = await each.until("config/changeEndpoint")
                assert push["params"] == {"endpoint": "https://two.example"}
            assert await it.result("config/getEndpoint") == {"endpoint": "https://two.example"}


async def test_a_login_url_names_the_http_port_and_a_challenge_without_the_machine_id(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as (simulator, it):
        made = await it.result("login/generateUrl")
        assert f"port={simulator.http_port}" in made["loginUrl"]
        assert f"challenge={made['challenge']}" in made["loginUrl"]
        assert made["challengeMethod"] == "S256"
        assert simulator.login.machine_id.decode() not in made["loginUrl"]


async def test_logging_out_deletes_the_login_and_is_reported(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        assert await it.result("auth/logout") == {"success": True}
        [report] = await it.until("auth/report")
        assert report["params"]["status"] == 1
        assert report["params"]["token"] == ""
        assert not (tmp_path / "cache" / "user").exists()
        assert await it.result("auth/logout") == {"success": True}


async def test_a_login_that_ends_is_reported_as_expired(tmp_path: Path) -> None:
    log_in(tmp_path, "alice", 0.5)
    async with running(tmp_path) as simulator, client(simulator.socket_port) as it:
        assert (await it.result("auth/status"))["status"] == 2
        [report] = await it.until("auth/report")
        assert report["params"]["status"] == 3
        assert await it.result("config/queryModels") == {}


async def http_get(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_http_port_says_what_it_is(tmp_path: Path) -> None:
    async with running(tmp_path) as simulator:
        answer = await http_get(simulator.http_port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"lingma simulator\n")
        assert (await http_get(simulator.http_port, b"GET /auth HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("request_text", ["GET /", "GET / HTTP/1.1\r\nContent-Length: 99999999"])
async def test_what_is_no_http_is_refused(tmp_path: Path, request_text: str) -> None:
    async with running(tmp_path) as simulator:
        answer = await http_get(simulator.http_port, f"{request_text}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 ")


async def test_an_endless_http_header_is_cut_off(tmp_path: Path) -> None:
    async with running(tmp_path) as simulator:
        with contextlib.suppress(ConnectionError):  # whether it sees a reset is up to the kernel
            assert await http_get(simulator.http_port, b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000) == b""


async def test_recorded_frames_hold_no_token(tmp_path: Path) -> None:
    record = tmp_path / "frames.jsonl"
    async with talking(tmp_path, record=record) as (simulator, it):
        status = await it.result("auth/status")
        await it.turn("hello")
        assert simulator.login.account is not None
    text = record.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert status["token"] not in text
    assert status["refreshToken"] not in text
    assert [line["direction"] for line in lines[:2]] == ["in", "out"]
    assert [line["message"]["method"] for line in lines if "method" in line["message"]][:3] == [
        "initialize",
        "auth/status",
        "chat/ask",
    ]


async def test_two_clients_may_talk_at_once(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, first), client(simulator.socket_port) as second:
        both: list[Client] = [first, second]
        assert [await each.result("ping") for each in both] == [{"success": True}] * 2
