"""The control port over HTTP."""

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from lingma_sim import control as control_module
from lingma_sim import faults
from tests.lingma_sim.support import ask, controlled, eventually, running, talking


async def test_the_state_is_told(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (simulator, it, control):
        turn = await it.turn("hello")
        await it.request("ping")
        state = await control.get("/state")
        assert state == {
            "pid": os.getpid(),
            "socketPort": simulator.socket_port,
            "httpPort": simulator.http_port,
            "loginPort": simulator.http_port,
            "status": 2,
            "whitelist": 3,
            "uid": "alice",
            "connections": 1,
            "turns": 0,
            "unanswered": 0,
            "sessions": [turn.session_id],
            "faults": {},
        }
        assert (tmp_path / ".sim-control").read_text() == f"{simulator.control_port}\n"


async def test_faults_are_switched_on_and_off(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (_, it, control):
        on = await control.post("/faults", set={"finish-code": {"value": "500 no", "times": 1}})
        assert on == {"on": {"finish-code": {"value": "500 no", "times": 1}}}
        assert (await it.turn("hello")).finish["statusCode"] == 500
        assert (await control.get("/faults")) == {"on": {}, "known": sorted(faults.KINDS)}
        await control.post("/faults", set="no-answer,missing-finish")
        await control.post("/faults", clear="all")
        assert (await it.turn("hello")).answer == "echo: hello"


async def test_frames_are_shown_and_may_be_waited_for(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (_, it, control):
        asked = ask("hello", requestId="r1")
        waiting = asyncio.create_task(control.get("/frames", method="chat/finish", wait=5))
        await it.result("chat/ask", asked)
        await it.until("chat/finish")
        [finish] = (await waiting)["frames"]
        assert (finish["direction"], finish["message"]["params"]["requestId"]) == ("out", "r1")
        [seen] = (await control.get("/frames", method="chat/ask", direction="in", requestId="r1"))["frames"]
        assert seen["message"]["params"]["questionText"] == "hello"
        assert (await control.get("/frames", after=finish["number"] + 9))["frames"] == []
        assert (await control.get("/frames", method="none", wait=0.01))["frames"] == []
        await control.http.delete("/frames")
        assert (await control.get("/frames"))["frames"] == []


async def test_frames_that_are_waited_for_do_not_hold_the_end_up(tmp_path: Path) -> None:
    async with running(tmp_path, control_port=0) as simulator:
        waiting = asyncio.create_task(simulator.frames.select(lambda _: True, 30))
        await asyncio.sleep(0)
    assert await waiting == []


@pytest.mark.parametrize("how", ["", "abort", "close", "half"])
async def test_connections_are_lost_at_a_word(tmp_path: Path, how: str) -> None:
    async with controlled(tmp_path) as (_, it, control):
        await control.post("/actions/disconnect", **({"how": how} if how else {}))
        it.strict = False
        with pytest.raises(ConnectionClosed):
            await it.next()


async def test_anything_can_be_pushed(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (_, it, control):
        await control.post("/actions/push", method="model/refresh", params={"a": 1})
        await control.post("/actions/push", method="model/refresh", notification=True)
        first, second = [await it.next(), await it.next()]
        assert (first["params"], "id" in first) == ({"a": 1}, True)
        assert (second["params"], "id" in second) == ({}, False)


async def test_the_process_crashes_or_stops_at_a_word(tmp_path: Path) -> None:
    crashed = asyncio.Event()
    async with talking(tmp_path, control_port=0, crash=crashed.set) as (simulator, _):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{simulator.control_port}") as http:
            assert (await http.post("/actions/crash")).json() == {"done": True}
            await asyncio.wait_for(crashed.wait(), 5)
            assert (await http.post("/actions/stop")).json() == {"done": True}
            await asyncio.wait_for(simulator.ended.wait(), 5)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/faults", b"no json", 400),
        ("POST", "/faults", b"[]", 400),
        ("POST", "/faults", b'{"set": "nonsense"}', 400),
        ("POST", "/faults", b'{"clear": ["nonsense"]}', 400),
        ("POST", "/faults", b'{"clear": 7}', 400),
        ("POST", "/actions/dance", b"", 400),
        ("POST", "/actions/disconnect", b'{"how": "softly"}', 400),
        ("POST", "/actions/login", b"", 400),
        ("POST", "/actions/push", b"", 400),
        ("GET", "/frames?wait=99", b"", 400),
        ("GET", "/frames?after=x", b"", 400),
        ("GET", "/nothing", b"", 404),
        ("DELETE", "/state", b"", 404),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(
    tmp_path: Path, method: str, path: str, body: bytes, status: int
) -> None:
    async with controlled(tmp_path) as (_, _it, control):
        answer = await control.http.request(method, path, content=body)
        assert answer.status_code == status
        assert answer.json()["error"]


async def test_a_wrong_request_changes_nothing(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (simulator, _, control):
        body = {"set": ["no-answer", "nonsense"], "clear": "all"}
        assert (await control.http.post("/faults", json=body)).status_code == 400
        assert simulator.faults.describe() == {}


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example:80"}])
async def test_a_page_in_a_browser_reaches_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    async with controlled(tmp_path) as (_, _it, control):
        assert (await control.http.get("/state", headers=headers)).status_code == 403


async def test_without_the_flag_there_is_no_control_port_and_no_frame_is_kept(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, _):
        assert simulator.control_port == 0
        assert await simulator.frames.select(lambda _: True, 0) == []
        assert not (tmp_path / ".sim-control").exists()


async def test_recorded_frames_at_the_control_port_hold_no_token(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (_, it, control):
        status: dict[str, Any] = await it.result("auth/status")
        text = (await control.http.get("/frames")).text
        assert status["token"] not in text
        assert status["refreshToken"] not in text
        assert "auth/status" in text


async def test_pushes_that_wait_for_a_reply_are_counted(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (simulator, it, control):
        it.acks = False
        await it.result("chat/ask", ask("hello"))
        await eventually(lambda: any(one.pending for one in simulator.hub.connections))
        assert (await control.get("/state"))["unanswered"] == 1


def test_every_action_has_a_word() -> None:
    assert all(name.isalpha() for name in control_module.ACTIONS)
