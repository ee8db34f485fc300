"""Work directories, bundles and the logins in them, made by the simulator's own helpers."""

import json
import stat
from pathlib import Path

from lingma_contract.bundle import Bundle, encode
from lingma_sim.login import cache_files, encrypt

NOW_S = 1_700_000_000.0
"""The time of every test."""


def bundle(uid: str = "alice", *, expires_in_s: float = 3600, mismatched: bool = False) -> Bundle:
    """A fresh login of `uid`; two of them differ in their tokens."""
    return Bundle(cache_files(uid, NOW_S, expires_in_s, mismatched=mismatched))


def mounted(folder: Path, made: Bundle) -> Path:
    """The file that holds the bundle, replaced if it was there."""
    path = folder / "bundle"
    path.write_text(encode(made))
    return path


def login_of(work_dir: Path) -> dict[str, bytes]:
    """The files in Lingma's cache folder."""
    cache = work_dir / "cache"
    return {path.name: path.read_bytes() for path in cache.iterdir()} if cache.is_dir() else {}


def refresh(work_dir: Path, expires_at_s: float) -> bytes:
    """What Lingma does when it refreshes its tokens: `user` is written anew, for the same machine."""
    machine_id = (work_dir / "cache" / "id").read_bytes()
    user = encrypt(machine_id, {"uid": "alice", "expire_time": int(expires_at_s * 1000)})
    (work_dir / "cache" / "user").write_bytes(user)
    return user


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def record_of(work_dir: Path) -> dict[str, object]:
    """What the last restore noted."""
    record: dict[str, object] = json.loads((work_dir / ".lingma-gateway" / "restored.json").read_text())
    return record
