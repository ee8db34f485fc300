import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle
from lingma_sim import login
from lingma_sim.workdir import WorkDir
from tests.lingma_gateway.commands.support import PATIENCE_S, run

DAY = 86400


@pytest.fixture
def alice(tmp_path: Path) -> Path:
    """A work directory where alice is logged in for twelve days."""
    path = tmp_path / "alice"
    WorkDir(path).write_cache(login.cache_files("alice", time.time(), 12 * DAY + 60))
    return path


def secrets_of(work_dir: Path) -> list[bytes]:
    account = WorkDir(work_dir).account()
    assert account is not None
    cache = work_dir / "cache"
    tokens = [account.security_oauth_token.encode(), account.refresh_token.encode()]
    return [*tokens, (cache / "id").read_bytes(), (cache / "user").read_bytes()[:40]]


def test_a_login_is_packed_inspected_and_restored(alice: Path, tmp_path: Path) -> None:
    (alice / "cache" / "db").mkdir()
    (alice / "cache" / "db" / "local.db").write_text("history")
    file = tmp_path / "alice.tgz"
    packed = run("session", "pack", "--work-dir", str(alice), "--to", str(file))
    assert (packed.returncode, packed.stdout) == (0, b"")
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(bundles.unpack(file.read_bytes()).files) == ["config.json", "id", "user"]

    shown = run("session", "inspect", str(file))
    assert shown.returncode == 0
    text = shown.stdout.decode()
    assert "uid           alice\n" in text
    assert "(in 12 days)" in text
    assert "organization  (none)\n" in text
    assert f"fingerprint   {bundles.unpack(file.read_bytes()).digest[:12]}\n" in text
    assert "cache/user" in text

    target = tmp_path / "new" / "work"
    restored = run("session", "restore", "--from", str(file), "--work-dir", str(target))
    assert (restored.returncode, restored.stdout) == (0, b"the session bundle was restored\n")
    account = WorkDir(target).account()
    assert account is not None
    assert account.uid == "alice"

    again = run(
        "session", "restore", "--from", "-", stdin=file.read_bytes(), environment={"LINGMA_WORK_DIR": str(target)}
    )
    assert again.stdout == b"the work directory holds a login that derives from this bundle\n"

    for output in (packed.stderr, shown.stdout + shown.stderr, restored.stdout + restored.stderr):
        for secret in secrets_of(alice):
            assert secret not in output


def test_a_bundle_goes_through_pipes_as_base64(alice: Path) -> None:
    packed = run("session", "pack", "--base64", environment={"LINGMA_WORK_DIR": str(alice)})
    assert packed.stdout.endswith(b"\n")
    assert bundles.unpack(packed.stdout).files["id"] == (alice / "cache" / "id").read_bytes()
    assert b"uid           alice" in packed.stderr
    shown = run("session", "inspect", "-", "-o", "json", stdin=packed.stdout)
    told = json.loads(shown.stdout)
    assert told["usable"] is True
    assert (told["uid"], told["name"], told["user_type"]) == ("alice", "alice", "personal_standard")
    assert 12 * DAY - 60 < told["expires_in_seconds"] <= 12 * DAY + 60
    assert told["expires"].endswith("+00:00")
    assert list(told["members"]) == ["id", "user", "config.json"]
    for secret in secrets_of(alice):
        assert secret not in shown.stdout + shown.stderr + packed.stderr


def test_a_bundle_is_not_shown_on_a_screen(alice: Path) -> None:
    leader, follower = pty.openpty()
    try:
        packed = subprocess.run(
            [sys.executable, "-m", "lingma_gateway", "session", "pack", "--work-dir", str(alice)],
            stdin=subprocess.DEVNULL,
            stdout=follower,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        os.close(follower)
        os.close(leader)
    assert packed.returncode == 1
    assert b"a session bundle is a credential" in packed.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--expires-in=-90000"], b"expired 1 day ago: log this Lingma in again"),
        (["--broken", "mismatch"], b"does not belong to cache/id"),
    ],
)
def test_a_login_of_no_use_is_not_packed(tmp_path: Path, arguments: list[str], reason: bytes) -> None:
    subprocess.run(
        [sys.executable, "-m", "lingma_sim", "login", "--uid", "bob", "--workDir", str(tmp_path), *arguments],
        check=True,
    )
    packed = run("session", "pack", "--work-dir", str(tmp_path), "--to", str(tmp_path / "bob.tgz"))
    assert packed.returncode == 1
    assert reason in packed.stderr
    assert packed.stderr.startswith(b"lingma-gateway: the login in ")
    assert not (tmp_path / "bob.tgz").exists()


def test_nobody_logged_in_is_said_so(tmp_path: Path) -> None:
    packed = run("session", "pack", "--work-dir", str(tmp_path))
    assert (packed.returncode, packed.stdout) == (1, b"")
    assert packed.stderr.endswith(b"has no cache/id: log this Lingma in first\n")


def test_an_unreadable_and_an_expired_login_are_still_inspected() -> None:
    broken = login.cache_files("bob", time.time(), DAY, mismatched=True)
    shown = run("session", "inspect", "-", stdin=bundles.encode(Bundle(broken)).encode())
    assert shown.returncode == 0
    assert shown.stdout.startswith(b"login         unreadable: cache/user does not belong to cache/id\n")
    told = json.loads(run("session", "inspect", "-", "-o", "json", stdin=bundles.pack(Bundle(broken))).stdout)
    assert (told["usable"], told["uid"], told["expires"]) == (False, None, None)
    expired = bundles.pack(Bundle(login.cache_files("bob", time.time(), -3 * DAY - 60)))
    assert b"(expired 3 days ago)" in run("session", "inspect", "-", stdin=expired).stdout


def test_a_name_cannot_write_escape_codes_and_an_unknown_expiry_is_said_so() -> None:
    machine = login.machine_id_of("eve").encode()
    fields = {**login.new_login("eve", 0), "name": "\x1b[2Jeve", "expire_time": 10**30}
    bundle = Bundle({"id": machine, "user": login.encrypt(machine, fields)})
    shown = run("session", "inspect", "-", stdin=bundles.pack(bundle))
    assert b"\x1b" not in shown.stdout
    assert b"name          ?[2Jeve\n" in shown.stdout
    assert b"expires       unknown\n" in shown.stdout


@pytest.mark.parametrize(
    ("stdin", "reason"),
    [
        (b"", b"the session bundle is empty"),
        (b"not a bundle", b"neither tar.gz nor base64"),
        (b"\x1f\x8b" + b"\0" * 5_000_000, b"- is larger than"),
    ],
)
def test_what_is_no_bundle_is_refused_for_a_person(tmp_path: Path, stdin: bytes, reason: bytes) -> None:
    for command in (["inspect", "-"], ["restore", "--from", "-", "--work-dir", str(tmp_path)]):
        done = run("session", *command, stdin=stdin)
        assert (done.returncode, done.stdout) == (1, b"")
        assert reason in done.stderr


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = run("session", "inspect", str(tmp_path / "gone.tgz"))
    assert done.returncode == 1
    assert b"gone.tgz cannot be read: No such file or directory" in done.stderr


def event(stdout: bytes) -> tuple[str, str]:
    line = json.loads(stdout)
    assert line["event"] == "session_restore"
    return line["level"], line["outcome"]


def test_in_a_pod_the_restore_never_fails_for_a_broken_bundle(alice: Path, tmp_path: Path) -> None:
    file = tmp_path / "bundle"
    environment = {
        "LINGMA_SESSION_BUNDLE_FILE": str(file),
        "LINGMA_WORK_DIR": str(tmp_path / "work"),
        "GATEWAY_MAX_IN_FLIGHT": "many",
        "LOG_LEVEL": "INFO",
    }
    missing = run("session", "restore", environment=environment)
    assert (missing.returncode, event(missing.stdout)) == (0, ("info", "no_bundle"))
    file.write_bytes(b"junk")
    broken = run("session", "restore", environment=environment)
    assert (broken.returncode, event(broken.stdout)) == (0, ("warning", "invalid"))
    file.write_bytes(run("session", "pack", "--work-dir", str(alice)).stdout)
    good = run("session", "restore", environment=environment)
    assert (good.returncode, event(good.stdout)) == (0, ("info", "restored"))
    assert (tmp_path / "work" / "cache" / "user").stat().st_mode & 0o777 == 0o600


def test_a_bundle_may_come_in_the_environment(alice: Path, tmp_path: Path) -> None:
    text = run("session", "pack", "--base64", "--work-dir", str(alice)).stdout.decode()
    environment = {"LINGMA_WORK_DIR": str(tmp_path / "work"), "LINGMA_SESSION_BUNDLE_FILE": ""}
    good = run("session", "restore", environment={**environment, "LINGMA_SESSION_BUNDLE": text})
    assert (good.returncode, event(good.stdout)) == (0, ("info", "restored"))
    broken = run("session", "restore", environment={**environment, "LINGMA_SESSION_BUNDLE": "junk"})
    assert (broken.returncode, event(broken.stdout)) == (0, ("warning", "invalid"))
    none = run("session", "restore", environment=environment)
    assert none.returncode == 1
    assert b"no session bundle is named" in none.stderr


def test_a_setting_that_is_wrong_is_named() -> None:
    done = run("session", "restore", environment={"LOG_LEVEL": "loud"})
    assert done.returncode == 2
    assert b"LOG_LEVEL" in done.stderr


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(alice: Path, tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    done = run("session", "pack", "--work-dir", str(alice), "--to", str(target))
    assert done.returncode == 2
    assert b"folder" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice", "folder"]
