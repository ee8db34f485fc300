"""What the login keeps on disk and reads from it."""

import os
from pathlib import Path

import pytest

from lingma_contract.bundle import Bundle
from lingma_gateway.login.attempts import AttemptLog
from lingma_gateway.login.capture import FileSink, Watch
from lingma_gateway.login.credentials import Credentials
from lingma_gateway.login.plan import Attempt, Result, Way
from lingma_gateway.login.secretfiles import ConfiguredCredentials
from lingma_sim import login as sim_login

NOW = 1_800_000_000.0
ATTEMPT = Attempt(Result.HUMAN, NOW, 2, "mark", "message", NOW - 5)


def test_attempts_and_marks_outlive_the_gateway(tmp_path: Path) -> None:
    log = AttemptLog(tmp_path)
    mark = log.mark(["user", "password"])
    log.put(Way.BROWSER, ATTEMPT)
    log.put(Way.PERSONAL_TOKEN, Attempt(Result.FAILED, NOW, 1, "mark"))
    again = AttemptLog(tmp_path)
    assert again.attempts == log.attempts
    assert again.mark(["user", "password"]) == mark
    assert again.mark(["userpassword"]) != mark
    again.clear()
    again.clear()
    assert AttemptLog(tmp_path).attempts == {}


def test_the_same_credential_has_another_mark_in_another_work_directory(tmp_path: Path) -> None:
    assert AttemptLog(tmp_path / "a").mark(["x"]) != AttemptLog(tmp_path / "b").mark(["x"])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"salt": "zz", "attempts": []}',
        '{"salt": 3, "attempts": {"browser": 3}}',
        '{"attempts": {"browser": {"result": "no such", "at_s": 1}}}',
    ],
)
def test_a_broken_file_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / ".lingma-gateway").mkdir()
    (tmp_path / ".lingma-gateway" / "login.json").write_text(content)
    assert AttemptLog(tmp_path).attempts == {}


def test_attempts_are_remembered_where_they_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / ".lingma-gateway").write_text("a file where a folder should be")
    log = AttemptLog(tmp_path)
    log.put(Way.BROWSER, ATTEMPT)
    assert log.attempts == {Way.BROWSER: ATTEMPT}
    assert "login_attempts_not_kept" in caplog.text


def test_a_file_with_a_credential_is_read_anew_and_wins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "password"
    source = ConfiguredCredentials(Credentials(username="alice", password="old"), {"password": path})
    assert source().password == "old"
    path.write_text(" n e w \n")
    assert (source().username, source().password) == ("alice", " n e w ")
    path.write_text("")
    assert source().password == "old"
    path.write_bytes(b"\xff")
    assert source().password == "old"
    assert "login_credential_unreadable" in caplog.text


def write(work_dir: Path, files: dict[str, bytes]) -> None:
    (work_dir / "cache").mkdir(exist_ok=True)
    for name, content in files.items():
        (work_dir / "cache" / name).write_bytes(content)


class Kept:
    def __init__(self) -> None:
        self.bundles: list[Bundle] = []
        self.full = False

    def captured(self, bundle: Bundle, derived_from: str | None) -> None:
        if self.full:
            raise OSError("no space")
        self.bundles.append(bundle)


def test_each_new_login_is_captured_once(tmp_path: Path) -> None:
    kept = Kept()
    watch = Watch(tmp_path, kept)
    assert not watch.look()
    write(tmp_path, sim_login.cache_files("alice", NOW, 60))
    assert [watch.look(), watch.look()] == [True, False]
    os.utime(tmp_path / "cache" / "user", (1, 1))
    assert not watch.look()
    write(tmp_path, sim_login.cache_files("alice", NOW, 90))
    assert watch.look()
    assert len(kept.bundles) == 2
    assert set(kept.bundles[0].files) == {"id", "user", "config.json"}


def test_half_a_login_is_not_captured(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    watch = Watch(tmp_path, kept)
    files = sim_login.cache_files("alice", NOW, 60)
    write(tmp_path, files | {"user": b""})
    assert not watch.look()
    write(tmp_path, {"user": files["user"][:20]})
    assert [watch.look(), watch.look(), watch.look()] == [False, False, False]
    assert caplog.text.count("session_not_captured") == 1
    write(tmp_path, files)
    assert watch.look()


def test_a_capture_that_could_not_be_kept_is_offered_again(tmp_path: Path) -> None:
    kept = Kept()
    kept.full = True
    watch = Watch(tmp_path, kept)
    write(tmp_path, sim_login.cache_files("alice", NOW, 60))
    assert not watch.look()
    kept.full = False
    assert watch.look()


def test_files_that_cannot_be_read_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, sim_login.cache_files("alice", NOW, 60))
    (tmp_path / "cache" / "quota").mkdir()
    watch = Watch(tmp_path, FileSink(tmp_path))
    assert [watch.look(), watch.look()] == [False, False]
    assert "session_not_captured" in caplog.text
