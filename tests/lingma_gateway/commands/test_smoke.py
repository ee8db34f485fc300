"""`lingma-gateway smoke`, as users run it."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lingma_gateway.lingma import infofile
from lingma_sim import report as simulated
from tests.lingma_gateway.commands.support import run
from tests.support.sidecar import ADMIN_TOKEN, ROUTER_TOKEN, Sidecar, sidecar, write_login


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    base = tmp_path_factory.mktemp("smoke")
    write_login(base / "work", name="Wang Wei")
    with sidecar(base) as running:
        yield running


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{ADMIN_TOKEN}\n")
    return path


def test_a_gateway_is_asked_and_its_report_written_for_the_owner(
    pod: Sidecar, tmp_path: Path, token_file: Path
) -> None:
    report = tmp_path / "report.json"
    done = run(
        *("smoke", "--report", str(report), "--url", str(pod.admin.base_url)),
        *("--token-file", str(token_file), "--instance", "alice"),
    )
    assert done.returncode == 0, done.stderr
    text = report.read_text()
    assert json.loads(text)["ok"] is True
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert simulated.parse(text).version == "2.11.1"
    for name in ("Wang Wei", "alice", ADMIN_TOKEN):
        assert name not in text
        assert name not in done.stderr.decode()
    assert b"as documented  initialize" in done.stderr


def test_a_lingma_is_checked_by_its_work_directory(pod: Sidecar) -> None:
    done = run("smoke", "--report", "-", "--work-dir", str(pod.work_dir))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True


def test_a_lingma_is_checked_by_its_port_and_a_difference_is_an_exit_status(tmp_path: Path) -> None:
    write_login(tmp_path / "work")
    with sidecar(tmp_path, ["--fault", "no-models"], ready=False):
        info = infofile.read(tmp_path / "work")
        assert info is not None
        done = run("smoke", "--report", "-", "--port", str(info.port), "--model", "kmodel")
    assert done.returncode == 3
    assert json.loads(done.stdout)["ok"] is False


def test_a_port_where_nothing_listens_still_gives_a_report() -> None:
    done = run("smoke", "--report", "-", "--port", "1")
    steps = json.loads(done.stdout)["steps"]
    assert done.returncode == 3
    assert steps[0]["finding"] == "no Lingma answers on port 1"
    assert {step["outcome"] for step in steps[1:]} == {"not tried"}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--work-dir", "nowhere"], 1, "has no .info"),
        (["--url", "http://127.0.0.1:1"], 1, "needs --token-file"),
        (["--url", "ftp://127.0.0.1"], 2, "is no http address"),
        (["--url", "http://user:secret@127.0.0.1"], 2, "is no http address"),
    ],
)
def test_what_cannot_be_checked_is_said(arguments: list[str], status: int, words: str) -> None:
    done = run("smoke", "--report", "-", *arguments)
    assert (done.returncode, words in done.stderr.decode()) == (status, True), done.stderr


def test_a_gateway_that_refuses_or_is_not_there_is_said(pod: Sidecar, tmp_path: Path, token_file: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text(ROUTER_TOKEN)
    empty = tmp_path / "empty"
    empty.write_text("\n")
    url = str(pod.admin.base_url)
    refused = run("smoke", "--report", "-", "--url", url, "--token-file", str(wrong))
    assert (refused.returncode, b"(401)" in refused.stderr) == (1, True)
    assert ROUTER_TOKEN.encode() not in refused.stderr
    unknown = run("smoke", "--report", "-", "--url", url, "--token-file", str(token_file), "--instance", "z&y")
    assert b"there is no instance 'z&y'" in unknown.stderr
    absent = run("smoke", "--report", "-", "--url", "http://127.0.0.1:1", "--token-file", str(token_file))
    assert b"does not answer" in absent.stderr
    assert b"is empty" in run("smoke", "--report", "-", "--url", url, "--token-file", str(empty)).stderr
