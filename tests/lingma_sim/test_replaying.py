"""Captures told again, and reports imitated, over a real WebSocket."""

import json
import time
from pathlib import Path
from typing import Any

from lingma_sim import replay, report
from tests.lingma_sim.support import Message, Turn, ask, talking


async def recorded(path: Path, *questions: str) -> replay.Capture:
    """What a simulator recorded while it was asked these."""
    async with talking(path, record=path / "frames.jsonl") as (_, it):
        await it.result("config/queryModels")
        for question in questions:
            await it.turn(question)
    return replay.parse((path / "frames.jsonl").read_text())


def without_ids(pushes: list[Message]) -> list[Any]:
    return [
        (
            push["method"],
            {name: value for name, value in push["params"].items() if name not in ("requestId", "sessionId")},
        )
        for push in pushes
    ]


async def test_what_the_simulator_recorded_it_tells_again(tmp_path: Path) -> None:
    question = "@sim think hm\n@sim tool list_dir\n@sim chunks 3\n@sim say abcd"
    async with talking(tmp_path / "a", record=tmp_path / "frames.jsonl") as (_, it):
        first = await it.turn(question)
    capture = replay.parse((tmp_path / "frames.jsonl").read_text())
    async with talking(tmp_path / "b", capture=capture) as (_, it):
        again = await it.turn("anything", requestId="r9")
        assert (again.answer, again.ack["requestId"]) == ("abcd", "r9")
        assert without_ids(again.pushes) == without_ids(first.pushes)
        assert {push["params"].get("requestId", "r9") for push in again.pushes} == {"r9"}
        [listed] = await it.result("chat/listAllSessions")
        assert (listed["sessionId"], listed["chatRecords"][0]["answer"]) == (again.session_id, "abcd")


async def test_turns_are_told_in_their_order_and_then_again(tmp_path: Path) -> None:
    capture = await recorded(tmp_path / "a", "@sim say one", "@sim fail 500 two")
    async with talking(tmp_path / "b", capture=capture) as (_, it):
        codes = [(await it.turn("x")).finish["statusCode"] for _ in range(3)]
        assert codes == [200, 500, 200]


async def test_the_models_of_a_capture_are_the_accounts(tmp_path: Path) -> None:
    lines = [
        {"direction": "in", "connection": 1, "message": {"id": 1, "method": "config/queryModels", "params": {}}},
        {"direction": "out", "connection": 1, "message": {"id": 1, "result": {"chat": [{"key": "seen"}]}}},
        {"direction": "in", "connection": 1, "message": {"id": 2, "method": "chat/ask", "params": {"requestId": "r"}}},
    ]
    capture = replay.parse("\n".join(json.dumps(line) for line in lines))
    async with talking(tmp_path, capture=capture) as (_, it):
        assert await it.result("config/queryModels") == {"chat": [{"key": "seen"}]}
        # Recorded as a request that nobody acked: so it is told.
        await it.send({"id": 70, "method": "chat/ask", "params": ask("x")})
        await it.request("ping")


async def test_a_recorded_error_or_notification_is_told_as_such(tmp_path: Path) -> None:
    def lines(message_id: int | None) -> list[dict[str, Any]]:
        params = {"requestId": "r1"}
        return [
            {"direction": "in", "connection": 1, "message": {"id": message_id, "method": "chat/ask", "params": params}},
            {"direction": "out", "connection": 1, "message": {"id": 2, "error": {"code": -32603, "message": "no"}}},
            {"direction": "out", "connection": 1, "message": {"id": 1, "method": "chat/finish", "params": params}},
        ]

    capture = replay.parse("\n".join(json.dumps(line) for line in [*lines(2), *lines(None)]))
    async with talking(tmp_path, capture=capture) as (_, it):
        assert (await it.request("chat/ask", ask("x")))["error"] == {"code": -32603, "message": "no"}
        await it.until("chat/finish")
        assert (await it.turn("x")).ack["isSuccess"]


async def test_a_recorded_tool_call_waits_for_the_client(tmp_path: Path) -> None:
    capture = await recorded(tmp_path / "a", "@sim tool read_file\n@sim say done")
    async with talking(tmp_path / "b", capture=capture, ack_timeout=0.02, tool_timeout=60) as (_, it):
        it.acks = False
        await it.result("chat/ask", ask("x"))
        invoke = (await it.until("tool/invoke"))[-1]
        await it.request("ping")  # nothing follows it
        await it.ack(invoke)
        assert Turn({}, await it.until("chat/finish")).answer == "done"


async def test_a_version_is_imitated_as_its_report_says(tmp_path: Path) -> None:
    found = report.parse(
        json.dumps(
            {
                "lingmaVersion": "2.12.0",
                "auth": {"status": 2, "whitelist": 3},
                "models": ["only"],
                "latency": {"firstTokenMs": 100, "chunkMs": 50},
            }
        )
    )
    async with talking(tmp_path, report=found) as (_, it):
        assert (await it.result("initialize"))["serverInfo"]["version"] == "2.12.0"
        assert [model["key"] for model in (await it.result("config/queryModels"))["chat"]] == ["only"]
        began = time.monotonic()
        assert (await it.turn("@sim chunks 3\n@sim say abc")).answer == "abc"
        assert time.monotonic() - began >= 0.2
