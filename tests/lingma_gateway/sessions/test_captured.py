import json
from pathlib import Path

import pytest

from lingma_contract.bundle import encode
from lingma_contract.health import LoginReason
from lingma_gateway.sessions import captured
from lingma_gateway.sessions.captured import STATE_DIR, Captured
from lingma_gateway.sessions.restore import Outcome
from lingma_gateway.sessions.source import SessionSource
from tests.lingma_gateway.support_sessions import bundle, login_of, mode
from tests.lingma_gateway.support_sessions import mounted as user_bundle


def secret(folder: Path, captured: Captured) -> Path:
    """A captured session as the operator's Secret shows it to the pod."""
    folder.mkdir()
    (folder / "bundle").write_text(encode(captured.bundle))
    (folder / "derived-from").write_text(captured.derived_from or "")
    return folder


@pytest.mark.parametrize("derived_from", ["digest-of-the-users-bundle", None])
def test_what_is_kept_is_read_back(tmp_path: Path, derived_from: str | None) -> None:
    given = Captured(bundle(), derived_from)
    captured.keep(tmp_path, given)
    assert captured.kept(tmp_path) == given
    assert captured.mounted(secret(tmp_path / "secret", given)) == given
    assert {mode(path) for path in (tmp_path / STATE_DIR).iterdir()} == {0o600}


def test_where_nothing_was_captured_there_is_nothing(tmp_path: Path) -> None:
    assert captured.kept(tmp_path) is None
    assert captured.mounted(tmp_path / "missing") is None


def test_a_write_that_was_cut_short_does_not_count(tmp_path: Path) -> None:
    captured.keep(tmp_path, Captured(bundle("first"), None))
    record = tmp_path / STATE_DIR / "captured.json"
    before = record.read_bytes()
    captured.keep(tmp_path, Captured(bundle("second"), None))
    record.write_bytes(before)
    assert captured.kept(tmp_path) is None
    record.write_text(json.dumps([]))
    assert captured.kept(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe"])
def test_a_broken_capture_is_told_and_passed_over(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    made = Captured(bundle(), None)
    captured.keep(tmp_path, made)
    (tmp_path / STATE_DIR / "captured.tgz").write_bytes(content)
    folder = secret(tmp_path / "secret", made)
    (folder / "bundle").write_bytes(content)
    assert captured.kept(tmp_path) is None
    assert captured.mounted(folder) is None
    assert caplog.text.count("captured_session_unreadable") == 2


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_a_pod_made_anew_restores_what_was_captured_in_the_one_before(work_dir: Path, tmp_path: Path) -> None:
    given, changed = bundle("given"), bundle("changed")
    folder = secret(tmp_path / "secret", Captured(changed, given.digest))
    source = SessionSource(work_dir, user_bundle(tmp_path, given), captured_dir=folder)
    assert source.restore().outcome is Outcome.RESTORED
    assert login_of(work_dir) == changed.files


def test_a_login_that_lingma_deletes_is_tried_from_the_newest_to_the_users_own(work_dir: Path, tmp_path: Path) -> None:
    given, older, newer = bundle("given"), bundle("older"), bundle("newer")
    folder = secret(tmp_path / "secret", Captured(older, given.digest))
    captured.keep(work_dir, Captured(newer, given.digest))
    source = SessionSource(work_dir, user_bundle(tmp_path, given), captured_dir=folder)
    for expected in (newer, older, given):
        verdict = source.logged_out()
        assert verdict is not None
        assert verdict.restored
        assert login_of(work_dir) == expected.files
        (work_dir / "cache" / "user").unlink()
    verdict = source.logged_out()
    assert verdict is not None
    assert verdict.reason is LoginReason.SESSION_REJECTED


def test_a_login_without_a_bundle_is_restored_in_a_new_pod_and_not_after_a_logout(
    work_dir: Path, tmp_path: Path
) -> None:
    login = Captured(bundle(), None)
    fresh = SessionSource(work_dir, None, captured_dir=secret(tmp_path / "secret", login))
    assert fresh.restore().outcome is Outcome.RESTORED
    (work_dir / "cache" / "user").unlink()
    captured.keep(work_dir, login)
    alone = SessionSource(work_dir, None)
    assert alone.logged_out() is None
    assert alone.restore().outcome is Outcome.NO_BUNDLE


def test_a_login_that_is_there_and_not_taken_is_not_restored_again(work_dir: Path, tmp_path: Path) -> None:
    given, changed = bundle("given"), bundle("changed")
    source = SessionSource(work_dir, user_bundle(tmp_path, given))
    source.restore()
    (work_dir / "cache" / "user").write_bytes(changed.files["user"])
    captured.keep(work_dir, Captured(changed, given.digest))
    verdict = source.logged_out()
    assert verdict is not None
    assert verdict.reason is LoginReason.SESSION_REJECTED
