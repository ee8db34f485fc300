"""A Lingma of our own, played by small programs: how it is started, recognised and ended."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lingma_gateway.lingma import infofile
from lingma_gateway.lingma.process import LingmaProcess

HEAD = """
import json, os, pathlib, signal, subprocess, sys, time
work_dir = pathlib.Path(sys.argv[sys.argv.index("--workDir") + 1])
def say(name, text):
    new = work_dir / (name + ".new")
    new.write_text(text)
    new.replace(work_dir / name)
"""
WAITS = HEAD + 'say("arguments", json.dumps(sys.argv[1:]))\ntime.sleep(60)\n'
STUBBORN = HEAD + 'signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay("arguments", "[]")\ntime.sleep(60)\n'
WITH_HELPER = HEAD + (
    "child = subprocess.Popen([sys.executable, '-c', "
    "'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)'], "
    "stdout=subprocess.PIPE)\n"
    "child.stdout.readline()\n"
    'say("arguments", json.dumps([child.pid]))\n'
    "time.sleep(60)\n"
)


@asynccontextmanager
async def running(program: str, work_dir: Path, **options: object) -> AsyncIterator[LingmaProcess]:
    process = LingmaProcess("alice", [sys.executable, "-c", program], work_dir, **options)  # type: ignore[arg-type]
    await process.start()
    try:
        async with asyncio.timeout(20):
            while not (work_dir / "arguments").exists():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.01)
        yield process
    finally:
        await process.stop()


def said(work_dir: Path) -> list[object]:
    found: list[object] = json.loads((work_dir / "arguments").read_text())
    return found


def announce(work_dir: Path, pid: int | None, port: int = 37010) -> None:
    (work_dir / infofile.INFO_NAME).write_text(f"{port}\n{'' if pid is None else pid}\n")


async def test_it_is_told_its_work_directory_and_two_free_ports(tmp_path: Path) -> None:
    async with running(WAITS, tmp_path):
        match said(tmp_path):
            case ["start", "--workDir", work_dir, "--socketPort", str(socket_port), "--httpPort", str(http_port)]:
                assert work_dir == str(tmp_path)
                assert 0 < int(socket_port) != int(http_port) > 0
            case other:
                raise AssertionError(other)


async def test_it_is_given_the_fixed_port_and_the_environment_that_it_may_see(tmp_path: Path) -> None:
    program = WAITS.replace("sys.argv[1:]", "[*sys.argv[1:], *os.environ]")
    async with running(program, tmp_path, socket_port=36510, environment={"ONLY": "this"}):
        arguments = said(tmp_path)
        assert arguments[3:5] == ["--socketPort", "36510"]
        assert "ONLY" in arguments
        assert "PATH" not in arguments


async def test_only_what_it_wrote_itself_says_where_it_listens(tmp_path: Path) -> None:
    async with running(WAITS, tmp_path) as process:
        assert process.info() is None
        announce(tmp_path, os.getpid())
        assert process.info() is None, "of another process that runs"
        announce(tmp_path, 2**22 + 1)
        assert process.info() is None, "of a process that is dead"
        announce(tmp_path, None)
        assert process.info() is not None, "of nobody in particular, and the old one was removed"
        announce(tmp_path, process.pid)
        info = process.info()
        assert info is not None
        assert info.port == 37010


async def test_a_helper_of_a_start_script_is_its_own(tmp_path: Path) -> None:
    async with running(WITH_HELPER, tmp_path, term_wait_s=0.2) as process:
        (pid,) = said(tmp_path)
        assert isinstance(pid, int)
        announce(tmp_path, pid)
        assert process.info() is not None


async def test_what_an_earlier_process_left_is_gone_before_the_start(tmp_path: Path) -> None:
    announce(tmp_path, None)
    async with running(WAITS, tmp_path) as process:
        assert process.info() is None
        await process.start()  # it runs already
        assert process.info() is None


async def test_another_folder_counts_with_its_own_pid_only(tmp_path: Path) -> None:
    elsewhere = tmp_path / "home"
    elsewhere.mkdir()
    async with running(WAITS, tmp_path / "work", also_info_in=elsewhere) as process:
        announce(elsewhere, None)
        assert process.info() is None
        announce(elsewhere, os.getpid())
        assert process.info() is None
        announce(elsewhere, process.pid, port=36510)
        info = process.info()
        assert info is not None
        assert info.port == 36510


async def test_it_is_asked_to_end_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running(WAITS, tmp_path) as process:
        await process.stop()
        assert process.pid is None
        assert process.how_it_ended == f"ended with code {-signal.SIGTERM}"
        await process.stop()
    assert [record.getMessage() for record in caplog.records].count("lingma_exited") == 1


async def test_it_is_killed_when_it_does_not_end(tmp_path: Path) -> None:
    async with running(STUBBORN, tmp_path, term_wait_s=0.2) as process:
        await process.stop()
        assert process.how_it_ended == f"ended with code {-signal.SIGKILL}"


async def test_a_lingma_that_crashed_is_started_again_though_its_helper_lives(tmp_path: Path) -> None:
    async with running(WITH_HELPER.replace("time.sleep(60)\n", "time.sleep(0.1)\n"), tmp_path) as process:
        (helper,) = said(tmp_path)
        assert isinstance(helper, int)
        async with asyncio.timeout(10):
            while process.pid is not None:  # noqa: ASYNC110 - looked at as an instance does
                await asyncio.sleep(0.01)
            await process.start()
            assert process.how_it_ended == "ended with code 0"
            while _runs(helper):  # noqa: ASYNC110 - it is nobody's child any more
                await asyncio.sleep(0.01)


async def test_helpers_that_do_not_end_are_killed_after_it(tmp_path: Path) -> None:
    async with running(WITH_HELPER, tmp_path, term_wait_s=0.2) as process:
        (pid,) = said(tmp_path)
        assert isinstance(pid, int)
        await process.stop()
    async with asyncio.timeout(10):
        while _runs(pid):  # noqa: ASYNC110 - it is nobody's child any more
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status != "Z"  # without an init to reap it, its entry stays


async def test_a_binary_that_is_not_there_is_an_error_of_the_start(tmp_path: Path) -> None:
    process = LingmaProcess("alice", ["/missing/Lingma"], tmp_path)
    with pytest.raises(OSError, match="No such file"):
        await process.start()
    assert process.how_it_ended == "did not start"
    await process.stop()


async def test_a_listener_at_the_fixed_port_is_somebody_elses_until_it_is_ours(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await LingmaProcess("alice", ["x"], tmp_path, socket_port=port).running_elsewhere()
        assert not await LingmaProcess("alice", ["x"], tmp_path).running_elsewhere()
        async with running(WAITS, tmp_path, socket_port=port) as process:
            assert not await process.running_elsewhere()
    assert not await LingmaProcess("alice", ["x"], tmp_path, socket_port=port).running_elsewhere()
