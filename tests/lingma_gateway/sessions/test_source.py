from pathlib import Path

import pytest

from lingma_contract.bundle import encode
from lingma_contract.health import LoginReason
from lingma_gateway.sessions.restore import Outcome
from lingma_gateway.sessions.source import SessionSource
from tests.lingma_gateway.support_sessions import bundle, login_of, mounted


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def lingma_deletes_the_login(work_dir: Path) -> None:
    (work_dir / "cache" / "user").unlink()


def reason(source: SessionSource) -> LoginReason | None:
    verdict = source.logged_out()
    return None if verdict is None else verdict.reason


def test_without_a_bundle_there_is_nothing_to_restore_and_nothing_to_say(work_dir: Path) -> None:
    for source in (SessionSource(work_dir, None), SessionSource(work_dir, work_dir / "missing")):
        assert source.restore().outcome is Outcome.NO_BUNDLE
        assert source.logged_out() is None


def test_the_bundle_is_restored_before_lingma_starts(work_dir: Path) -> None:
    made = bundle()
    assert SessionSource(work_dir, mounted(work_dir.parent, made)).restore().outcome is Outcome.RESTORED
    assert login_of(work_dir) == made.files


def test_an_invalid_bundle_is_the_reason_why_lingma_is_logged_out(work_dir: Path) -> None:
    path = work_dir.parent / "bundle"
    path.write_text("garbage")
    source = SessionSource(work_dir, path)
    assert source.restore().outcome is Outcome.INVALID
    verdict = source.logged_out()
    assert verdict is not None
    assert verdict.reason is LoginReason.BUNDLE_INVALID
    assert verdict.message.startswith("the session bundle")
    assert not verdict.restored


def test_a_login_that_lingma_reads_and_does_not_take_is_rejected(work_dir: Path) -> None:
    source = SessionSource(work_dir, mounted(work_dir.parent, bundle()))
    source.restore()
    assert reason(source) is LoginReason.SESSION_REJECTED


def test_a_login_that_lingma_deleted_is_restored_once(work_dir: Path) -> None:
    made = bundle()
    source = SessionSource(work_dir, mounted(work_dir.parent, made))
    source.restore()
    lingma_deletes_the_login(work_dir)
    verdict = source.logged_out()
    assert verdict is not None
    assert verdict.restored
    assert login_of(work_dir) == made.files
    lingma_deletes_the_login(work_dir)
    assert reason(source) is LoginReason.SESSION_REJECTED
    assert "user" not in login_of(work_dir)


def test_another_bundle_is_tried_after_a_rejected_one(work_dir: Path) -> None:
    source = SessionSource(work_dir, mounted(work_dir.parent, bundle()))
    source.logged_out()
    lingma_deletes_the_login(work_dir)
    assert reason(source) is LoginReason.SESSION_REJECTED
    other = bundle("bob")
    mounted(work_dir.parent, other)
    verdict = source.logged_out()
    assert verdict is not None
    assert verdict.restored
    assert login_of(work_dir) == other.files


def test_a_bundle_that_worked_meanwhile_may_be_tried_again(work_dir: Path) -> None:
    source = SessionSource(work_dir, mounted(work_dir.parent, bundle()))
    source.logged_out()
    source.accepted()
    lingma_deletes_the_login(work_dir)
    verdict = source.logged_out()
    assert verdict is not None
    assert verdict.restored


def test_a_bundle_for_another_machine_is_rejected_before_lingma_deletes_it_again(work_dir: Path) -> None:
    source = SessionSource(work_dir, mounted(work_dir.parent, bundle(mismatched=True)))
    assert reason(source) is LoginReason.SESSION_REJECTED
    assert login_of(work_dir) == {}


def test_a_bundle_that_arrives_while_lingma_runs_logged_out_is_restored(work_dir: Path) -> None:
    path = work_dir.parent / "bundle"
    source = SessionSource(work_dir, path)
    assert source.logged_out() is None
    mounted(work_dir.parent, bundle())
    verdict = source.logged_out()
    assert verdict is not None
    assert verdict.restored


def test_a_bundle_given_as_text_is_used_where_there_is_no_file(work_dir: Path) -> None:
    text, other = bundle("alice"), bundle("bob")
    source = SessionSource(work_dir, work_dir.parent / "bundle", encode(text))
    assert source.restore().outcome is Outcome.RESTORED
    assert login_of(work_dir) == text.files
    mounted(work_dir.parent, other)
    assert source.restore().outcome is Outcome.RESTORED
    assert login_of(work_dir) == other.files


def test_a_bundle_given_as_text_that_is_none_is_the_reason_why_lingma_is_logged_out(work_dir: Path) -> None:
    source = SessionSource(work_dir, None, "garbage\udcff")
    assert source.restore().outcome is Outcome.INVALID
    assert reason(source) is LoginReason.BUNDLE_INVALID
