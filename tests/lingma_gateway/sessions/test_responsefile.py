"""The file of stored responses: its limits, its faults, and what outlives the process."""

import logging
import os
import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lingma_gateway.sessions.responsefile import (
    DAMAGED,
    FILE_NAME,
    Limits,
    Lost,
    ResponseFile,
    StoredResponse,
    StoreUnavailable,
    TooLarge,
)
from tests.lingma_gateway.support_pool import Clock

KEY = "team-a"


def a_response(id: str, previous: str | None = None, size: int = 10, key_id: str = KEY) -> StoredResponse:
    return StoredResponse(id, key_id, previous, b"[]", b"x" * (size - 2))


def opened(
    folder: Path, *, max_age_s: float = 100.0, max_bytes: int = 1000, clock: Clock | None = None
) -> ResponseFile:
    return ResponseFile(folder, Limits(max_age_s, max_bytes), clock or Clock())


def ids(file: ResponseFile, *wanted: str) -> list[str]:
    return [id for id in wanted if file.get(id, KEY) is not None]


def test_a_response_is_found_as_it_was_stored(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.put(a_response("r1"))
    assert file.get("r1", KEY) == a_response("r1")
    assert file.get("r2", KEY) is None


def test_a_response_of_another_key_is_not_there(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.put(a_response("r1"))
    assert file.get("r1", "team-b") is None
    assert not file.delete("r1", "team-b")
    with pytest.raises(Lost):
        file.chain("r1", "team-b")
    assert file.get("r1", KEY) is not None


def test_a_chain_is_all_that_a_response_continues_the_oldest_first(tmp_path: Path) -> None:
    file = opened(tmp_path)
    for id, previous in (("r1", None), ("r2", "r1"), ("r3", "r2"), ("branch", "r1")):
        file.put(a_response(id, previous))
    assert [each.id for each in file.chain("r3", KEY)] == ["r1", "r2", "r3"]
    assert [each.id for each in file.chain("branch", KEY)] == ["r1", "branch"]


def test_a_chain_with_a_hole_is_lost_and_names_what_is_missing(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.put(a_response("r1"))
    file.put(a_response("r2", "r1"))
    assert file.delete("r1", KEY)
    with pytest.raises(Lost, match="r1"):
        file.chain("r2", KEY)


def test_a_response_that_was_not_used_for_too_long_is_gone(tmp_path: Path) -> None:
    clock = Clock()
    file = opened(tmp_path, max_age_s=60, clock=clock)
    file.put(a_response("old"))
    clock.now_s += 61
    assert ids(file, "old") == []
    file.put(a_response("new"))
    clock.now_s -= 61
    assert ids(file, "old", "new") == ["new"], "not only hidden, but removed"


def test_a_conversation_that_goes_on_keeps_its_beginning(tmp_path: Path) -> None:
    clock = Clock()
    file = opened(tmp_path, max_age_s=60, clock=clock)
    file.put(a_response("r1"))
    for number in range(2, 6):
        clock.now_s += 50
        assert file.chain(f"r{number - 1}", KEY)
        file.put(a_response(f"r{number}", f"r{number - 1}"))
    assert len(file.chain("r5", KEY)) == 5


def test_those_that_were_not_used_for_longest_give_way(tmp_path: Path) -> None:
    clock = Clock()
    file = opened(tmp_path, max_bytes=100, clock=clock)
    for id in ("r1", "r2", "r3"):
        clock.now_s += 1
        file.put(a_response(id, size=30))
    clock.now_s += 1
    file.chain("r1", KEY)
    file.put(a_response("r4", size=60))
    assert ids(file, "r1", "r2", "r3", "r4") == ["r1", "r4"]


def test_a_response_larger_than_everything_takes_nothing_elses_place(tmp_path: Path) -> None:
    file = opened(tmp_path, max_bytes=100)
    file.put(a_response("r1"))
    with pytest.raises(TooLarge, match="101"):
        file.put(a_response("r2", size=101))
    assert ids(file, "r1") == ["r1"]


def test_the_file_does_not_grow_beyond_what_it_holds(tmp_path: Path) -> None:
    file = opened(tmp_path, max_bytes=200_000)
    for number in range(60):
        file.put(a_response(f"r{number}", size=50_000))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2_000_000


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    before = os.umask(0)
    try:
        file = opened(folder)
        file.put(a_response("r1"))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes.keys() >= {FILE_NAME, f"{FILE_NAME}-wal"}
    assert {*modes.values()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_is_deleted_leaves_no_bytes_behind(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.put(StoredResponse("r1", KEY, None, b'["SECRET-PROMPT"]', b"{}"))
    assert file.delete("r1", KEY)
    assert not file.delete("r1", KEY)
    file.close()
    assert all(b"SECRET-PROMPT" not in path.read_bytes() for path in tmp_path.iterdir())


def test_what_was_stored_outlives_the_process(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.put(a_response("r1"))
    # Not closed: as when the process was killed.
    assert opened(tmp_path).get("r1", KEY) == a_response("r1")


def test_it_is_gone_with_its_folder(tmp_path: Path) -> None:
    file = opened(tmp_path / "state")
    file.put(a_response("r1"))
    file.close()
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    (tmp_path / "state").rmdir()
    assert opened(tmp_path / "state").get("r1", KEY) is None


@pytest.mark.parametrize("content", [b"no database at all, but some text" * 9, b"SQLite format 3\0" + b"\xff" * 500])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    file = opened(tmp_path)
    with caplog.at_level(logging.ERROR):
        file.put(a_response("r1"))
    assert ids(file, "r1") == ["r1"]
    assert (tmp_path / f"{FILE_NAME}{DAMAGED}").read_bytes() == content
    assert [record.message for record in caplog.records] == ["responses_set_aside"]


def test_a_file_that_is_damaged_while_it_is_open_is_set_aside_too(tmp_path: Path) -> None:
    file = opened(tmp_path, max_bytes=1_000_000)
    for number in range(40):
        file.put(a_response(f"r{number}", size=5000))
    file.close()
    path = tmp_path / FILE_NAME
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert file.get("r1", KEY) is None
    assert path.with_name(f"{FILE_NAME}{DAMAGED}").exists()
    file.put(a_response("new"))
    assert ids(file, "new") == ["new"]


def test_a_file_of_another_version_is_set_aside(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    file = opened(tmp_path)
    file.put(a_response("r1"))
    assert ids(file, "r1") == ["r1"]
    assert (tmp_path / f"{FILE_NAME}{DAMAGED}").exists()


@contextmanager
def no_space_beyond(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: to SQLite, a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_and_what_is_stored_stays(tmp_path: Path) -> None:
    file = opened(tmp_path, max_bytes=10_000_000)
    file.put(a_response("r1"))
    with no_space_beyond(200_000), pytest.raises(StoreUnavailable):
        file.put(a_response("r2", size=1_000_000))
    assert ids(file, "r1", "r2") == ["r1"]
    file.put(a_response("r2", size=1_000_000))
    assert ids(file, "r1", "r2") == ["r1", "r2"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StoreUnavailable):
        opened(tmp_path / "state").get("r1", KEY)
