"""The tap as a user runs it, between the gateway's own connection and a simulated Lingma."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lingma_gateway.commands.record import _known_names
from lingma_gateway.lingma import infofile
from lingma_gateway.lingma.connection import open_connection
from lingma_gateway.lingma.login import interpret
from tests.lingma_gateway.commands.support import PATIENCE_S, run
from tests.lingma_sim.support import log_in, running

QUESTION = (
    '@sim think planted-thought\n@sim tool run_in_terminal {"command": "planted-command"}\n@sim say planted-answer'
)


@contextmanager
def recording(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """`lingma-gateway record`, once it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lingma_gateway", "record", "--listen", "127.0.0.1:0", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        first = process.stderr.readline()
        assert first.startswith("recording ws://127.0.0.1:"), first
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE_S)


async def talk(port: int) -> Any:
    """Log in, list models, and one turn with a tool; the login status as the client saw it."""
    async with open_connection(
        port, process_id=None, rpc_timeout_s=10, on_push=lambda _method, _params: None, whole=True
    ) as (lingma, _):
        status = await lingma.request("auth/status", {})
        assert await lingma.request("config/queryModels", {})
        request_id = str(uuid.uuid4())
        with lingma.turn(request_id) as pushes:
            ask = {"requestId": request_id, "sessionId": "", "questionText": QUESTION, "mode": "chat"}
            await lingma.request(
                "chat/ask", {**ask, "chatContext": {"filePath": "/home/planted-user/planted-project/x.py"}}
            )
            method = ""
            while method != "chat/finish":
                pushed = await pushes.next(10, "event")
                assert isinstance(pushed, tuple)
                method, _ = pushed
        return status


async def test_a_real_conversation_is_captured_without_what_is_nobodys_business(tmp_path: Path) -> None:
    capture, front = tmp_path / "capture.jsonl", tmp_path / "front"
    log_in(tmp_path / "work", "planted-uid")
    arguments = ["--work-dir", str(tmp_path / "work"), "--info-dir", str(front), "--to", str(capture)]
    async with running(tmp_path / "work") as simulator:
        with await asyncio.to_thread(lambda: recording(*arguments)) as process:
            info = infofile.read(front)
            assert info is not None
            assert info.port != simulator.socket_port
            assert info.pid == process.pid
            status = await talk(info.port)
            process.send_signal(signal.SIGINT)
            _, stderr = await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
    assert interpret(status).logged_in
    assert status["id"] == "planted-uid"
    assert process.returncode == 0
    messages = [json.loads(line) for line in capture.read_text().splitlines()]
    assert stderr == f"{len(messages)} frames of 1 connections are in {capture}\n"
    assert not (front / ".info").exists()

    text = capture.read_text()
    assert "planted" not in text
    for secret in (status["token"], status["refreshToken"]):
        assert secret not in text
    methods = [message["message"].get("method") for message in messages]
    for method in ("initialize", "auth/status", "chat/ask", "chat/think", "tool/invoke", "chat/answer", "chat/finish"):
        assert method in methods
    assert all(message.keys() == {"time", "direction", "connection", "message"} for message in messages)
    [login] = [m["message"]["result"] for m in messages if "whitelist" in (m["message"].get("result") or {})]
    assert (login["status"], login["whitelist"], login["token"]) == (2, 3, "***")
    answers = [m["message"]["params"]["text"] for m in messages if m["message"].get("method") == "chat/answer"]
    assert "<text 14>" in answers
    assert os.stat(capture).st_mode & 0o777 == 0o600


async def test_prompts_are_kept_when_asked_for_and_tokens_never(tmp_path: Path) -> None:
    capture, work = tmp_path / "capture.jsonl", tmp_path / "work"
    log_in(work, "planted-uid")
    async with running(work):
        before = (work / ".info").read_text()
        arguments = ["--work-dir", str(work), "--info-dir", str(work), "--to", str(capture), "--keep-prompts"]
        with await asyncio.to_thread(lambda: recording(*arguments)) as process:
            info = infofile.read(work)
            assert info is not None
            status = await talk(info.port)
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
        assert (work / ".info").read_text() == before
    text = capture.read_text()
    assert "planted-answer" in text
    assert "planted-command" in text
    assert "planted-project" in text
    for secret in (status["token"], status["refreshToken"], "planted-uid", "planted-user"):
        assert secret not in text


def test_lingma_is_looked_for_before_anything_is_written(tmp_path: Path) -> None:
    done = run("record", "--work-dir", str(tmp_path), "--to", str(tmp_path / "x"))
    assert done.returncode == 1
    assert b"has no .info: no Lingma runs there; start it, or name its port with --port" in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_capture_that_exists_stays(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    done = run("record", "--port", "1", "--to", str(tmp_path / "x"))
    assert done.returncode == 1
    assert b"exists: choose another file" in done.stderr
    assert (tmp_path / "x").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "0"], b"'0' is no port"),
        (["--port", "x"], b"'x' is no port"),
        (["--port", "1", "--listen", "0.0.0.0:1"], b"only loopback addresses"),
        (["--port", "1", "--listen", "localhost:1"], b"is no ADDRESS:PORT"),
        (["--port", "1", "--listen", "127.0.0.1:x"], b"is no ADDRESS:PORT"),
        (["--port", "1", "--work-dir", "x"], b"not allowed with"),
        ([], b"one of the arguments --port --work-dir is required"),
    ],
)
def test_a_wrong_command_line_is_explained(tmp_path: Path, arguments: list[str], reason: bytes) -> None:
    done = run("record", "--to", str(tmp_path / "x"), *arguments)
    assert done.returncode == 2
    assert reason in done.stderr


def test_the_names_of_the_person_and_the_machine_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "carol")
    assert "carol" in list(_known_names())
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "root")
    assert "root" not in list(_known_names())
