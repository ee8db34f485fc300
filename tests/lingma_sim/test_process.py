"""The process: its files, its login at start, its ports, its command line."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lingma_contract import bundle
from lingma_sim import cli, login
from lingma_sim.workdir import WorkDir
from tests.lingma_sim.support import ask, client, log_in, log_of, running


async def test_a_fresh_work_directory_gets_a_machine_id_and_info(tmp_path: Path) -> None:
    async with running(tmp_path / "new") as simulator:
        assert (tmp_path / "new" / ".info").read_text() == f"{simulator.socket_port}\n{os.getpid()}\n"
        machine_id = tmp_path / "new" / "cache" / "id"
        assert machine_id.read_bytes() == simulator.login.machine_id
        assert len(simulator.login.machine_id) == 36
        assert machine_id.stat().st_mode & 0o777 == 0o600
        assert machine_id.parent.stat().st_mode & 0o777 == 0o700


async def test_the_machine_id_outlives_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as first:
        pass
    async with running(tmp_path) as second:
        assert first.login.machine_id == second.login.machine_id


async def test_three_info_lines_name_a_pipe(tmp_path: Path) -> None:
    async with running(tmp_path, info_lines=3):
        assert (tmp_path / ".info").read_text().splitlines()[2] == str(tmp_path / "lingma.sock")


async def test_info_stays_when_the_process_ends(tmp_path: Path) -> None:
    async with running(tmp_path):
        pass
    assert (tmp_path / ".info").exists()


async def test_the_ready_line_names_the_ports(tmp_path: Path) -> None:
    async with running(tmp_path) as simulator:
        ready = f"WebSocket: {simulator.socket_port}, HTTP: {simulator.http_port}, IPC: "
        assert f"Communication servers ready - {ready}" in log_of(tmp_path)


async def test_an_occupied_port_falls_to_the_next_free_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with running(tmp_path, socket_port=port, http_port=port) as simulator:
            assert port < simulator.socket_port <= port + 100
            assert port < simulator.http_port <= port + 100
            assert simulator.socket_port != simulator.http_port
            assert (tmp_path / ".info").read_text().splitlines()[0] == str(simulator.socket_port)


async def test_a_port_that_may_not_be_had_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 65535)), pytest.raises(OSError, match="65535"):
        async with running(tmp_path, socket_port=65535):
            pass


async def test_only_loopback_listens(tmp_path: Path) -> None:
    async with running(tmp_path) as simulator:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", simulator.socket_port), 1)


async def test_a_mismatched_login_is_deleted_at_start_and_the_key_is_not_logged(tmp_path: Path) -> None:
    log_in(tmp_path, "alice", mismatched=True)
    async with running(tmp_path) as simulator, client(simulator.socket_port) as it:
        assert (await it.result("auth/status"))["status"] == 1
        assert not (tmp_path / "cache" / "user").exists()
        log = log_of(tmp_path)
        assert "Unable to decrypt user info. Using machineKey: ****" in log
        assert "Deleted user info file." in log
        assert simulator.login.machine_id[:16].decode() not in log


async def test_a_login_without_a_machine_id_is_deleted(tmp_path: Path) -> None:
    log_in(tmp_path, "alice")
    (tmp_path / "cache" / "id").unlink()
    async with running(tmp_path) as simulator:
        assert simulator.login.account is None
        assert not (tmp_path / "cache" / "user").exists()


async def test_a_login_put_there_later_counts_from_the_next_start(tmp_path: Path) -> None:
    async with running(tmp_path) as simulator, client(simulator.socket_port) as it:
        log_in(tmp_path, "alice")
        assert (await it.result("auth/status"))["status"] == 1
    async with running(tmp_path) as simulator, client(simulator.socket_port) as it:
        assert (await it.result("auth/status"))["status"] == 2


async def test_an_expired_login_has_status_3_and_no_models(tmp_path: Path) -> None:
    log_in(tmp_path, "alice", -1)
    async with running(tmp_path) as simulator, client(simulator.socket_port) as it:
        status = await it.result("auth/status")
        assert (status["status"], status["id"], status["whitelist"]) == (3, "alice", 4)
        assert await it.result("config/queryModels") == {}
        assert (tmp_path / "cache" / "user").exists()


async def test_a_bundle_of_the_command_logs_its_account_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bundle", "--uid", "bob"]) == 0
    made = bundle.unpack(capsys.readouterr().out.encode())
    WorkDir(tmp_path).write_cache(made.files)
    async with running(tmp_path) as simulator, client(simulator.socket_port) as it:
        assert (await it.turn("@sim whoami")).answer == "bob"


def test_a_broken_or_expiring_bundle_is_made_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["bundle", "--uid", "bob", "--broken", "mismatch"])
    broken = bundle.unpack(capsys.readouterr().out.encode()).files
    with pytest.raises(login.LoginUnreadable):
        login.decrypt(broken["id"], broken["user"])
    cli.main(["bundle", "--uid", "bob", "--expires-in", "-1"])
    expired = bundle.unpack(capsys.readouterr().out.encode()).files
    assert login.decrypt(expired["id"], expired["user"]).status(10**12) is login.Status.EXPIRED


def status_of(path: Path, capsys: pytest.CaptureFixture[str]) -> object:
    assert cli.main(["status", "-o", "json", f"--workDir={path}"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_status_command_tells_who_is_logged_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = {"logged_in": False, "version": "2.11.1", "username": "", "user_type": ""}
    assert status_of(tmp_path, capsys) == out
    assert cli.main(["login", "--workDir", str(tmp_path), "--uid", "alice"]) == 0
    assert status_of(tmp_path, capsys) == {
        "logged_in": True,
        "version": "2.11.1",
        "username": "alice",
        "user_type": "personal_standard",
    }
    cli.main(["status", "--workDir", str(tmp_path)])
    assert "username: alice" in capsys.readouterr().out
    assert (tmp_path / "cache" / "user").stat().st_mode & 0o777 == 0o600


def test_the_status_command_deletes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_in(tmp_path, "alice", mismatched=True)
    assert status_of(tmp_path, capsys) == {"logged_in": False, "version": "2.11.1", "username": "", "user_type": ""}
    assert (tmp_path / "cache" / "user").exists()


def test_the_version_command_prints_the_version_that_is_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version"]) == 0
    assert capsys.readouterr().out == "2.11.1\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["start"],
        ["start", "--workDir=x", "--socketPort=99999"],
        ["start", "--workDir=x", "--transportType=pipe"],
        ["start", "--workDir=x", "--unknown"],
    ],
)
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(arguments)
    assert refused.value.code == 2
    assert "usage: lingma-sim" in capsys.readouterr().err


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A simulator of its own, and its first line."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lingma_sim", *arguments, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert started.stderr is not None
        yield started, (await asyncio.wait_for(started.stderr.readline(), 10)).decode()
        await asyncio.wait_for(started.communicate(), 5)
    finally:
        if started.returncode is None:
            started.kill()
            await started.communicate()


async def test_sigterm_ends_the_process_cleanly_in_the_middle_of_a_turn(tmp_path: Path) -> None:
    log_in(tmp_path, "alice")
    start = ["start", "--workDir", str(tmp_path), "--socketPort=0", "--httpPort", "0", "--transportType=websocket"]
    async with process(*start, "--copyDataDir", "x", "--endpoint=") as (started, first_line):
        assert "Communication servers ready - WebSocket: " in first_line
        port, pid = (tmp_path / ".info").read_text().split()
        assert int(pid) == started.pid
        async with client(int(port)) as it:
            await it.result("chat/ask", ask("@sim say x\n@sim hang"))
            await it.until("chat/answer")
            started.terminate()
            await asyncio.wait_for(started.wait(), 5)
    assert started.returncode == 0
    assert (tmp_path / ".info").exists()


async def test_the_crash_directive_exits_with_status_1(tmp_path: Path) -> None:
    log_in(tmp_path, "alice")
    async with process("start", "--workDir", str(tmp_path), "--socketPort=0", "--httpPort=0") as (started, _):
        async with client(int((tmp_path / ".info").read_text().split()[0])) as it:
            await it.result("chat/ask", ask("@sim crash"))
            await asyncio.wait_for(started.wait(), 5)
    assert started.returncode == 1


def test_commands_import_only_what_they_need() -> None:
    code = "import sys; from lingma_sim import cli; cli.main(['version']); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30).stdout
    assert not any(f"'{name}'" in loaded for name in ("websockets", "cryptography", "asyncio", "tarfile"))
