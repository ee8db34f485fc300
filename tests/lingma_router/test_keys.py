"""The mounted Secrets, swapped as the kubelet does it."""

import asyncio
import os
from pathlib import Path

from lingma_router.keys import KeyRing
from tests.lingma_router.support import MASTER, mount, until


def ring(tmp_path: Path, **api_keys: str) -> KeyRing:
    mount(tmp_path / "keys", {name: value.encode() for name, value in api_keys.items()})
    mount(tmp_path / "master", {"current": MASTER})
    return KeyRing(tmp_path / "keys", tmp_path / "master")


def test_keys_are_named_by_their_files(tmp_path: Path) -> None:
    keys = ring(tmp_path, team="sk-1")
    assert keys.refresh()
    assert keys.current is not None
    assert keys.current.clients.identify("sk-1") == "team"
    assert not keys.refresh()


def test_a_swapped_secret_is_read_again(tmp_path: Path) -> None:
    keys = ring(tmp_path, team="sk-1")
    keys.refresh()
    mount(tmp_path / "keys", {"team": b"sk-2", "other": b"sk-3"})
    assert keys.refresh()
    assert keys.current is not None
    assert [keys.current.clients.identify(key) for key in ("sk-1", "sk-2", "sk-3")] == [None, "team", "other"]


def test_a_plain_folder_serves_as_well(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "team").write_bytes(b"sk-1\n")
    mount(tmp_path / "master", {"current": MASTER})
    keys = KeyRing(tmp_path / "keys", tmp_path / "master")
    assert keys.refresh()
    (tmp_path / "keys" / "team").write_bytes(b"sk-longer\n")
    assert keys.refresh()


def test_what_cannot_be_read_leaves_the_earlier_keys_in_force(tmp_path: Path) -> None:
    keys = ring(tmp_path, team="sk-1")
    keys.refresh()
    earlier = keys.current
    mount(tmp_path / "master", {"current": b"short"})
    assert not keys.refresh()
    os.unlink(tmp_path / "keys" / "..data")
    os.symlink("..nowhere", tmp_path / "keys" / "..data")
    assert not keys.refresh()
    assert not keys.refresh()
    assert keys.current is earlier


def test_nothing_is_in_force_before_both_secrets_are_there(tmp_path: Path) -> None:
    keys = KeyRing(tmp_path / "keys", tmp_path / "master")
    assert not keys.refresh()
    mount(tmp_path / "keys", {})
    mount(tmp_path / "master", {"current": MASTER})
    assert not keys.refresh()
    assert keys.current is None
    mount(tmp_path / "keys", {"team": b"sk-1"})
    assert keys.refresh()


def test_emptying_the_secret_revokes_every_key(tmp_path: Path) -> None:
    keys = ring(tmp_path, team="sk-1")
    keys.refresh()
    mount(tmp_path / "keys", {})
    assert keys.refresh()
    assert keys.current is not None
    assert keys.current.clients.identify("sk-1") is None


async def test_the_watch_looks_by_itself(tmp_path: Path) -> None:
    keys = ring(tmp_path, team="sk-1")
    watching = asyncio.create_task(keys.watch(0.001))
    await until(lambda: keys.current is not None)
    watching.cancel()
