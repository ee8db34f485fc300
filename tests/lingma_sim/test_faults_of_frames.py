"""Faults of frames and replies over a real WebSocket."""

import asyncio
import time
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.lingma_sim.support import Turn, ask, chosen, client, log_of, running, talking


async def test_frames_may_be_cut_into_pieces(tmp_path: Path) -> None:
    async with running(tmp_path, faults=chosen("split-frames=5")) as simulator:
        async with client(simulator.socket_port, initialize=False) as it:
            it.strict = False
            await it.request("initialize")
            assert {len(text) for text in it.texts[:-1]} == {5}


async def test_frames_may_be_joined_and_turns_work(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        it.strict = False
        simulator.faults.set(chosen("join-frames=3"))
        turn = await it.turn("@sim chunks 4\n@sim say abcdefgh")
        assert turn.answer == "abcdefgh"
        assert any(text.count("Content-Length") == 3 for text in it.texts)


async def test_frames_may_be_joined_and_then_cut(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        it.strict = False
        simulator.faults.set(chosen("join-frames=2,split-frames=11"))
        assert (await it.turn("@sim chunks 4\n@sim say äöü你好")).answer == "äöü你好"


async def test_headers_may_have_odd_forms(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        it.strict = False
        simulator.faults.set(chosen("odd-headers"))
        assert (await it.turn("@sim chunks 4\n@sim say abcdefgh")).answer == "abcdefgh"
        text = "".join(it.texts)
        for form in ("content-length: ", "CONTENT-LENGTH: ", "Content-Type: ", "Content-Length:   "):
            assert form in text


async def test_ids_of_pushes_may_be_texts_and_must_come_back_as_texts(tmp_path: Path) -> None:
    async with talking(tmp_path, faults=chosen("string-ids")) as (_, it):
        turn = await it.turn("hello")
        assert [push["id"] for push in turn.pushes] == [str(n) for n in range(1, len(turn.pushes) + 1)]


async def test_replies_may_come_twice(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        simulator.faults.set(chosen("duplicate-replies*1"))
        assert await it.request("ping") == await it.next()


async def test_replies_may_come_late(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        simulator.faults.set(chosen("late-replies=0.2*1"))
        await it.send({"id": 70, "method": "ping", "params": {}})
        assert await it.request("ping")  # a later call is answered before it
        assert (await it.next())["id"] == 70


@pytest.mark.parametrize("which", ["ping", "any"])
async def test_a_method_may_never_be_answered(tmp_path: Path, which: str) -> None:
    async with talking(tmp_path) as (simulator, it):
        simulator.faults.set(chosen(f"mute={which}*1"))
        await it.send({"id": 70, "method": "ping", "params": {}})
        assert await it.request("auth/status")


async def test_a_method_may_fail_or_be_unknown(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        simulator.faults.set(chosen("method-error=ping,unknown-method=auth/status"))
        assert (await it.request("ping"))["error"]["code"] == -32603
        assert (await it.request("auth/status"))["error"] == {
            "code": -32601,
            "message": "unknown method: auth/status",
        }
        simulator.faults.set(chosen("method-error=any"))
        assert (await it.request("config/getEndpoint"))["error"]["code"] == -32603


async def test_the_handshake_may_be_refused(tmp_path: Path) -> None:
    async with running(tmp_path, faults=chosen("handshake-refused*1")) as simulator:
        with pytest.raises(InvalidStatus, match="503"):
            await connect(f"ws://127.0.0.1:{simulator.socket_port}/")
        async with client(simulator.socket_port) as it:
            await it.request("ping")


async def test_initialize_may_be_slow(tmp_path: Path) -> None:
    async with running(tmp_path, faults=chosen("slow-initialize=0.2")) as simulator:
        began = time.monotonic()
        async with client(simulator.socket_port):
            assert time.monotonic() - began >= 0.2


async def test_patience_for_acks_may_be_short(tmp_path: Path) -> None:
    async with talking(tmp_path, faults=chosen("ack-timeout=0.02")) as (_, it):
        it.acks = False
        await it.result("chat/ask", ask("hello"))
        assert Turn({}, await it.until("chat/finish")).answer == "echo: hello"
        assert "no response from client" in log_of(tmp_path)


def an_image(work_dir: Path) -> str:
    (work_dir / "a b.png").write_bytes(b"png")
    return (work_dir / "a b.png").as_uri()


async def test_an_uploaded_image_is_told_by_a_push(tmp_path: Path) -> None:
    upload = {"imageUri": an_image(tmp_path), "requestId": "i1"}
    async with talking(tmp_path) as (_, it):
        assert (await it.result("image/upload", upload))["result"] == {"success": True}
        [told] = await it.until("image/uploadResultNotification")
        assert told["params"]["result"]["requestId"] == "i1"
        assert told["params"]["result"]["imageUrl"].startswith("https://")
        assert (await it.result("image/upload", {"requestId": "i1"}))["result"] == {"success": False}


@pytest.mark.parametrize("uri", ["/etc/hostname", "file:///etc/hostname", "../outside.png", "missing.png", "empty.png"])
async def test_what_is_no_file_of_the_work_directory_is_not_uploaded(tmp_path: Path, uri: str) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path.parent / "outside.png").write_bytes(b"png")
    where = uri if uri.startswith(("/", "file:")) else str(tmp_path / uri)
    async with talking(tmp_path) as (_, it):
        answer = await it.result("image/upload", {"imageUri": where, "requestId": "i1"})
        assert (answer["errorCode"], answer["result"]) == ("400", {"success": False})


async def test_an_upload_may_fail_at_once_later_or_silently(tmp_path: Path) -> None:
    upload = {"imageUri": an_image(tmp_path), "requestId": "i1"}
    async with talking(tmp_path) as (simulator, it):
        simulator.faults.set(chosen("image-upload=refused"))
        assert (await it.result("image/upload", upload))["errorCode"] == "400"
        simulator.faults.set(chosen("image-upload=failed"))
        await it.result("image/upload", upload)
        [told] = await it.until("image/uploadResultNotification")
        assert (told["params"]["errorCode"], told["params"]["result"]["imageUrl"]) == ("500", "")
        simulator.faults.set(chosen("image-upload=silent"))
        assert (await it.result("image/upload", upload))["result"] == {"success": True}
        await it.request("ping")


async def test_settings_are_read_changed_and_told(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        before = await it.result("config/getGlobal")
        assert before["mcpAutoRun"] is False
        assert await it.result("config/updateGlobalMcpAutoRun", {"mcpAutoRun": True, "unknown": 1}) == {"success": True}
        [told] = await it.until("config/changeGlobal")
        assert told["params"] == await it.result("config/getGlobal") == {**before, "mcpAutoRun": True}


async def test_frames_are_joined_only_as_long_as_they_wait(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        simulator.faults.set(chosen("join-frames=9"))
        async with asyncio.timeout(5):
            assert await it.request("ping")
