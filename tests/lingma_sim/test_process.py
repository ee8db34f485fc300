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

import httpx
import pytest

from lingma_contract import bundle
from lingma_sim import cli, login, parent
from lingma_sim.workdir import WorkDir
from tests.lingma_sim.support import ask, chosen, client, eventually, log_in, log_of, running


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


async def test_ports_may_seem_occupied(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with running(tmp_path, socket_port=port, http_port=0, faults=chosen("occupied-ports=2")) as simulator:
        assert simulator.socket_port >= port + 2


async def test_the_info_may_come_late(tmp_path: Path) -> None:
    async with running(tmp_path, faults=chosen("slow-info=0.2")) as simulator:
        assert not (tmp_path / ".info").exists()
        await eventually((tmp_path / ".info").exists)
        async with client(simulator.socket_port) as it:
            await it.request("ping")


async def test_the_socket_may_open_after_the_info(tmp_path: Path) -> None:
    async with running(tmp_path, faults=chosen("slow-socket=0.2")) as simulator:
        await eventually((tmp_path / ".info").exists)
        with pytest.raises(OSError, match=r"refused|failed"):
            await asyncio.open_connection("127.0.0.1", simulator.socket_port)
        await eventually(lambda: "Communication servers ready" in log_of(tmp_path))
        async with client(simulator.socket_port) as it:
            await it.request("ping")


async def test_a_slow_start_may_be_ended_before_it_is_over(tmp_path: Path) -> None:
    async with running(tmp_path, faults=chosen("slow-info=60")):
        pass
    assert not (tmp_path / ".info").exists()


async def test_the_info_may_be_json(tmp_path: Path) -> None:
    async with running(tmp_path, info_json=True) as simulator:
        assert json.loads((tmp_path / ".info.json").read_text()) == {
            "websocketPort": simulator.socket_port,
            "pid": os.getpid(),
            "ipcServerPath": str(tmp_path / "lingma.sock"),
        }
        assert not (tmp_path / ".info").exists()


async def test_starts_crash_as_often_as_they_were_told_to(tmp_path: Path) -> None:
    crashes = []
    for _ in range(3):
        async with running(tmp_path, crash=lambda: crashes.append(1), faults=chosen("crash-start=2")):
            pass
    assert len(crashes) == 2


async def test_the_process_may_crash_a_while_after_its_start(tmp_path: Path) -> None:
    crashed = asyncio.Event()
    async with running(tmp_path, crash=crashed.set, faults=chosen("crash-after=0.05")):
        await asyncio.wait_for(crashed.wait(), 5)


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
        ["start", "--workDir=x", "--fault=nonsense"],
        ["start", "--workDir=x", "--fault", "overwrite=never"],
    ],
)
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(arguments)
    assert refused.value.code == 2
    assert "usage: lingma-sim" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "content", "variable"),
    [
        ("--accounts", "{}", ""),
        ("--replay", "", ""),
        ("--report", "[]", ""),
        ("", "", "LINGMA_SIM_FAULTS=nonsense"),
        ("", "", "LINGMA_SIM_CONTROL_PORT=70000"),
        ("", "", "LINGMA_SIM_ACCOUNTS=/nowhere/accounts.json"),
    ],
)
def test_a_file_or_variable_that_cannot_be_used_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flag: str,
    content: str,
    variable: str,
) -> None:
    (tmp_path / "file").write_text(content)
    if variable:
        monkeypatch.setenv(*variable.split("=", 1))
    more = [flag, str(tmp_path / "file")] if flag else []
    assert cli.main(["start", "--workDir", str(tmp_path / "work"), *more]) == 2
    assert "lingma-sim: " in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


@asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A simulator of its own, and its first line."""
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lingma_sim", *arguments),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
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


def start(path: Path) -> list[str]:
    return ["start", "--workDir", str(path), "--socketPort=0", "--httpPort=0"]


async def test_faults_come_from_the_environment_and_from_flags(tmp_path: Path) -> None:
    log_in(tmp_path, "alice")
    settings = {"LINGMA_SIM_FAULTS": "status=6,whitelist=1", "LINGMA_SIM_CONTROL_PORT": "0"}
    async with process(*start(tmp_path), "--fault", "status=5", **settings) as (started, first_line):
        port = int(first_line.rpartition(" ")[2])
        assert (tmp_path / ".sim-control").read_text() == f"{port}\n"
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            state = (await http.get("/state")).json()
            assert (state["status"], state["whitelist"], state["pid"]) == (5, 1, started.pid)
            await http.post("/actions/stop")
        await asyncio.wait_for(started.wait(), 5)
    assert started.returncode == 0


async def test_a_crash_loop_ends_after_its_count(tmp_path: Path) -> None:
    async with process(*start(tmp_path), "--fault=crash-start=1") as (started, first_line):
        assert "panic: " in first_line
        assert await asyncio.wait_for(started.wait(), 5) == 1
    async with process(*start(tmp_path), "--fault=crash-start=1") as (started, first_line):
        assert "servers ready" in first_line
        started.terminate()
    assert started.returncode == 0


async def test_sigterm_may_be_ignored(tmp_path: Path) -> None:
    async with process(*start(tmp_path), "--fault", "ignore-sigterm*1") as (started, _):
        started.terminate()
        async with client(int((tmp_path / ".info").read_text().split()[0])) as it:
            await it.request("ping")
        started.terminate()
    assert started.returncode == 0


async def test_it_ends_when_the_process_that_started_it_is_gone(tmp_path: Path) -> None:
    starter = await asyncio.create_subprocess_exec("sleep", "60")
    async with process(*start(tmp_path), "--parentPoll=0.02") as (started, _):
        async with client(int((tmp_path / ".info").read_text().split()[0]), initialize=False) as it:
            for odd in (None, 0, -1, True, "1"):
                await it.request("initialize", {"processId": odd})
            for _ in range(2):
                await it.request("initialize", {"processId": starter.pid})
            await it.request("ping")
            assert started.returncode is None
            starter.kill()
            await asyncio.wait_for(started.wait(), 5)
    assert started.returncode == 0
    await starter.wait()


async def test_it_ends_too_when_its_starter_was_also_the_reader_of_its_log(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "started = subprocess.Popen([sys.executable, '-m', 'lingma_sim', *sys.argv[1:]], stderr=subprocess.PIPE)\n"
        "print(started.pid, started.stderr.readline(), flush=True)\n"
        "time.sleep(60)"
    )
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *start(tmp_path), "--parentPoll=0.02", stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout is not None
    pid = int((await asyncio.wait_for(starter.stdout.readline(), 10)).split()[0])
    async with client(int((tmp_path / ".info").read_text().split()[0]), initialize=False) as it:
        await it.request("initialize", {"processId": starter.pid})
        starter.kill()
        await starter.wait()
        async with asyncio.timeout(5):
            await parent.until_gone(pid, 0.02)


def test_a_process_that_ended_is_gone_before_anybody_waits_for_it() -> None:
    ended = subprocess.Popen(["true"])
    try:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert not parent.is_alive(ended.pid)
    finally:
        ended.wait()
    assert not parent.is_alive(ended.pid)


def test_a_process_that_runs_is_alive() -> None:
    assert parent.is_alive(1)
    assert parent.is_alive(os.getpid())


def test_commands_import_only_what_they_need() -> None:
    code = "import sys; from lingma_sim import cli; cli.main(['version']); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30).stdout
    assert not any(f"'{name}'" in loaded for name in ("websockets", "cryptography", "asyncio", "tarfile"))
