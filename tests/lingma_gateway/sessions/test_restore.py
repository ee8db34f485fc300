import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lingma_contract.bundle import Bundle, BundleError
from lingma_gateway.sessions import restore as restoring
from lingma_gateway.sessions.captured import STATE_DIR, Captured
from lingma_gateway.sessions.restore import Last, Outcome, Restored
from lingma_gateway.sessions.source import SessionSource
from tests.lingma_gateway.support_sessions import NOW_S, bundle, login_of, mode, record_of, refresh


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Files are as private as we make them, not as the umask makes them."""
    before = os.umask(0)
    yield
    os.umask(before)


def restore(work_dir: Path, made: Bundle, at_s: float = NOW_S) -> Outcome:
    return restoring.restore_bundle(work_dir, made, (), lambda: at_s).outcome


def kept(work_dir: Path) -> list[dict[str, bytes]]:
    """The logins that were kept aside, oldest first."""
    folder = work_dir / STATE_DIR / "replaced"
    logins = sorted(folder.iterdir()) if folder.is_dir() else []
    return [{path.name: path.read_bytes() for path in login.iterdir()} for login in logins]


def test_an_empty_work_directory_gets_the_bundle(work_dir: Path) -> None:
    made = bundle()
    assert restore(work_dir, made) is Outcome.RESTORED
    assert login_of(work_dir) == made.files
    assert kept(work_dir) == []
    assert restoring.last(work_dir) == Last(made.digest, made.digest)
    assert record_of(work_dir)["digest"] == made.digest


def test_the_same_bundle_again_changes_nothing(work_dir: Path) -> None:
    made = bundle()
    restore(work_dir, made)
    before = (work_dir / "cache" / "user").stat()
    assert restore(work_dir, made, NOW_S + 5) is Outcome.KEPT
    assert (work_dir / "cache" / "user").stat().st_mtime_ns == before.st_mtime_ns
    assert kept(work_dir) == []


def test_tokens_that_lingma_has_refreshed_since_are_kept(work_dir: Path) -> None:
    made = bundle(expires_in_s=60)
    restore(work_dir, made)
    user = refresh(work_dir, NOW_S + 7200)
    assert restore(work_dir, made, NOW_S + 3600) is Outcome.KEPT
    assert login_of(work_dir)["user"] == user


def test_a_changed_bundle_replaces_the_login_which_is_kept_aside(work_dir: Path) -> None:
    restore(work_dir, bundle("alice"))
    refreshed = refresh(work_dir, NOW_S + 7200)
    other = bundle("bob")
    assert restore(work_dir, other, NOW_S + 1) is Outcome.RESTORED
    assert login_of(work_dir) == other.files
    assert [login["user"] for login in kept(work_dir)] == [refreshed]


def test_what_the_new_bundle_does_not_hold_does_not_stay_behind(work_dir: Path) -> None:
    first = bundle()
    restore(work_dir, Bundle({**first.files, "quota": b"old", "machine_token.json": b"{}"}))
    second = Bundle({name: content for name, content in first.files.items() if name in ("id", "user")})
    restore(work_dir, second, NOW_S + 1)
    assert login_of(work_dir) == second.files


def test_files_of_lingma_that_are_no_login_stay(work_dir: Path) -> None:
    (work_dir / "cache" / "db").mkdir(parents=True)
    (work_dir / "cache" / "db" / "local.db").write_bytes(b"sessions")
    restore(work_dir, bundle())
    restore(work_dir, bundle(), NOW_S + 1)
    assert (work_dir / "cache" / "db" / "local.db").read_bytes() == b"sessions"


def test_at_most_the_last_three_logins_are_kept_aside(work_dir: Path) -> None:
    made = [bundle() for _ in range(6)]
    for second, one in enumerate(made):
        assert restore(work_dir, one, NOW_S + second) is Outcome.RESTORED
    assert [login["user"] for login in kept(work_dir)] == [one.files["user"] for one in made[2:5]]


def test_an_expired_login_is_restored(work_dir: Path) -> None:
    made = bundle(expires_in_s=60)
    restore(work_dir, made)
    assert restore(work_dir, made, NOW_S + 59) is Outcome.KEPT
    assert restore(work_dir, made, NOW_S + 60) is Outcome.RESTORED


@pytest.mark.parametrize("name", ["id", "user"])
def test_a_login_that_lingma_has_deleted_is_restored(work_dir: Path, name: str) -> None:
    made = bundle()
    restore(work_dir, made)
    (work_dir / "cache" / name).unlink()
    assert restore(work_dir, made, NOW_S + 1) is Outcome.RESTORED
    assert login_of(work_dir) == made.files


@pytest.mark.parametrize(
    ("name", "content"), [("id", b"another machine's id"), ("id", b"short"), ("user", b"garbage!")]
)
def test_a_login_that_cannot_be_deciphered_is_restored(work_dir: Path, name: str, content: bytes) -> None:
    made = bundle()
    restore(work_dir, made)
    (work_dir / "cache" / name).write_bytes(content)
    assert restore(work_dir, made, NOW_S + 1) is Outcome.RESTORED
    assert login_of(work_dir) == made.files
    assert kept(work_dir)[0][name] == content


def test_a_login_that_nobody_restored_gives_way_to_the_bundle(work_dir: Path) -> None:
    own, made = bundle("own"), bundle("alice")
    (work_dir / "cache").mkdir()
    for name, content in own.files.items():
        (work_dir / "cache" / name).write_bytes(content)
    assert restore(work_dir, made) is Outcome.RESTORED
    assert kept(work_dir) == [own.files]


@pytest.mark.parametrize("cut_at", ["id", "config.json", "user", "restored.json"])
@pytest.mark.parametrize("logged_in_before", [False, True])
def test_a_restore_that_was_cut_short_is_done_again(
    work_dir: Path, monkeypatch: pytest.MonkeyPatch, cut_at: str, logged_in_before: bool
) -> None:
    if logged_in_before:
        restore(work_dir, bundle("before"), NOW_S - 1)
    made, replace = bundle(), os.replace

    def cut(source: str | Path, target: Path) -> None:
        if target.name == cut_at and "replaced" not in target.parts:
            raise OSError("the disk is full")
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", cut)
        with pytest.raises(OSError, match="the disk is full"):
            restore(work_dir, made)
    assert not [path for path in work_dir.rglob(".*") if path.is_file()], "a temporary file stays behind"
    assert restore(work_dir, made, NOW_S + 1) is Outcome.RESTORED
    assert login_of(work_dir) == made.files
    assert restore(work_dir, made, NOW_S + 2) is Outcome.KEPT


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b"{}", b'{"digest":3}', b"\xff"])
def test_a_broken_record_means_that_nothing_is_known(work_dir: Path, record: bytes) -> None:
    made = bundle()
    restore(work_dir, made)
    (work_dir / STATE_DIR / "restored.json").write_bytes(record)
    assert restoring.last(work_dir) is None
    assert restore(work_dir, made, NOW_S + 1) is Outcome.RESTORED


def test_no_bundle_leaves_the_login_alone(work_dir: Path) -> None:
    made = bundle()
    restore(work_dir, made)
    result = restoring.restore_bundle(work_dir, None)
    assert result == Restored(Outcome.NO_BUNDLE, "there is no session bundle")
    assert login_of(work_dir) == made.files


@pytest.mark.parametrize("content", [b"", b"no bundle at all", b"\x1f\x8bgarbage"])
def test_an_invalid_bundle_leaves_the_login_alone_and_says_why(work_dir: Path, content: bytes) -> None:
    made = bundle()
    restore(work_dir, made)
    path = work_dir.parent / "bundle"
    path.write_bytes(content)
    result = SessionSource(work_dir, path).restore()
    assert result.outcome is Outcome.INVALID
    assert result.message.startswith("the session bundle")
    assert login_of(work_dir) == made.files


def test_a_bundle_that_cannot_be_read_is_invalid(work_dir: Path) -> None:
    with pytest.raises(BundleError, match="the session bundle cannot be read: Is a directory"):
        restoring.read_bundle(work_dir)
    assert SessionSource(work_dir, work_dir).restore().outcome is Outcome.INVALID


@pytest.mark.usefixtures("open_umask")
def test_only_the_owner_can_read_logins_and_what_is_kept_of_them(work_dir: Path) -> None:
    (work_dir / "cache").mkdir(mode=0o755)
    restore(work_dir, bundle())
    (work_dir / "cache" / "user").chmod(0o644)
    restore(work_dir, bundle(), NOW_S + 1)
    paths = [
        *(work_dir / "cache").rglob("*"),
        work_dir / "cache",
        *(work_dir / STATE_DIR).rglob("*"),
        work_dir / STATE_DIR,
    ]
    assert {path.relative_to(work_dir).as_posix(): oct(mode(path)) for path in paths} == {
        path.relative_to(work_dir).as_posix(): "0o700" if path.is_dir() else "0o600" for path in paths
    }


@pytest.mark.usefixtures("open_umask")
def test_a_login_that_others_can_read_is_kept_aside_where_they_cannot(work_dir: Path) -> None:
    (work_dir / "cache").mkdir(mode=0o755)
    for name, content in bundle("own").files.items():
        (work_dir / "cache" / name).write_bytes(content)
    restore(work_dir, bundle())
    paths = list((work_dir / STATE_DIR).rglob("*"))
    assert {mode(path) for path in paths if path.is_dir()} == {mode(work_dir / STATE_DIR)} == {0o700}
    assert {mode(path) for path in paths if path.is_file()} == {0o600}


# What was captured of a login


def test_a_capture_of_the_users_bundle_goes_before_it(work_dir: Path) -> None:
    given, changed = bundle("given"), bundle("changed")
    result = restoring.restore_bundle(work_dir, given, [Captured(changed, given.digest)], lambda: NOW_S)
    assert result == Restored(Outcome.RESTORED, "the captured session was restored")
    assert login_of(work_dir) == changed.files
    assert restoring.last(work_dir) == Last(changed.digest, given.digest)


def test_what_derives_from_the_users_bundle_stays(work_dir: Path) -> None:
    given, changed = bundle("given"), bundle("changed")
    restore(work_dir, given)
    result = restoring.restore_bundle(work_dir, given, [Captured(changed, given.digest)], lambda: NOW_S)
    assert result.outcome is Outcome.KEPT
    assert login_of(work_dir) == given.files


def test_a_capture_of_another_bundle_does_not_count(work_dir: Path) -> None:
    old, given, changed = bundle("old"), bundle("given"), bundle("changed")
    restore(work_dir, old)
    result = restoring.restore_bundle(work_dir, given, [Captured(changed, old.digest)], lambda: NOW_S + 1)
    assert result == Restored(Outcome.RESTORED, "the session bundle was restored")
    assert login_of(work_dir) == given.files


def test_the_newest_capture_goes_first_unless_it_has_expired(work_dir: Path) -> None:
    given, newer, older = bundle("given"), bundle("newer", expires_in_s=10), bundle("older", expires_in_s=1000)
    captures = [Captured(newer, given.digest), Captured(older, given.digest)]
    restoring.restore_bundle(work_dir, given, captures, lambda: NOW_S)
    assert login_of(work_dir) == newer.files
    restoring.restore_bundle(work_dir, given, captures, lambda: NOW_S + 11)
    assert login_of(work_dir) == older.files


def test_without_a_bundle_the_capture_of_a_login_by_other_means_is_restored(work_dir: Path) -> None:
    changed = bundle("changed")
    captures = [Captured(changed, None)]
    assert restoring.restore_bundle(work_dir, None, captures, lambda: NOW_S).outcome is Outcome.RESTORED
    assert restoring.last(work_dir) == Last(changed.digest, None)
    assert restoring.restore_bundle(work_dir, None, captures, lambda: NOW_S).outcome is Outcome.KEPT


def test_a_record_from_before_there_were_captures_is_understood(work_dir: Path) -> None:
    made = bundle()
    restore(work_dir, made)
    (work_dir / STATE_DIR / "restored.json").write_text(f'{{"digest":"{made.digest}"}}')
    assert restoring.last(work_dir) == Last(made.digest, made.digest)
    assert restore(work_dir, made) is Outcome.KEPT
