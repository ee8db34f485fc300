"""Restoring a login from a session bundle into Lingma's work directory.

The user's bundle is taken when it differs from the one that was restored last, or when the work directory is logged
out or expired; otherwise the files stay, because Lingma may have refreshed the tokens in them since. What is replaced
is kept aside.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle, BundleError
from lingma_gateway.sessions import files, loginfiles

STATE_DIR = ".lingma-gateway"
"""Beside Lingma's own folders in the work directory."""
_RECORD = "restored.json"
_KEPT = "replaced"
_KEPT_COUNT = 3


class Outcome(StrEnum):
    """What a restore did."""

    RESTORED = "restored"
    KEPT = "kept"
    """The login in the work directory is newer than the bundle it came from, or just that bundle."""
    NO_BUNDLE = "no_bundle"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Restored:
    """Outcome and, where there is something to say, why."""

    outcome: Outcome
    message: str


def read_bundle(path: Path) -> Bundle | None:
    """The mounted bundle; None if there is none.

    Raises:
        BundleError: there is one and it is not usable.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"the session bundle cannot be read: {error.strerror}") from error
    return bundles.unpack(data)


def restored_digest(work_dir: Path) -> str | None:
    """Digest of the bundle that was restored last."""
    try:
        record = json.loads((work_dir / STATE_DIR / _RECORD).read_text())
    except (FileNotFoundError, ValueError):
        return None
    digest = record.get("digest") if isinstance(record, dict) else None
    return digest if isinstance(digest, str) else None


def restore(work_dir: Path, bundle_file: Path, now_s: Callable[[], float] = time.time) -> Restored:
    """Bring the work directory's login up to the bundle, if that is called for. Safe to run again at any time."""
    try:
        bundle = read_bundle(bundle_file)
    except BundleError as error:
        return Restored(Outcome.INVALID, str(error))
    if bundle is None:
        return Restored(Outcome.NO_BUNDLE, "no session bundle is mounted")
    return restore_bundle(work_dir, bundle, now_s)


def restore_bundle(work_dir: Path, bundle: Bundle, now_s: Callable[[], float] = time.time) -> Restored:
    """The same for a bundle that was read already."""
    if restored_digest(work_dir) == bundle.digest and _is_logged_in(work_dir, now_s()):
        return Restored(Outcome.KEPT, "the work directory holds a login that derives from this bundle")
    _keep_aside(work_dir, now_s())
    _write(work_dir, bundle, now_s())
    return Restored(Outcome.RESTORED, "the session bundle was restored")


def _is_logged_in(work_dir: Path, now_s: float) -> bool:
    content = {}
    for name in bundles.REQUIRED:
        try:
            content[name] = (work_dir / "cache" / name).read_bytes()
        except FileNotFoundError:
            return False
    try:
        expires_ms = loginfiles.expire_time_ms(content)
    except loginfiles.Undecipherable:
        return False
    return expires_ms is None or expires_ms > now_s * 1000


def _keep_aside(work_dir: Path, now_s: float) -> None:
    """Move a login that is about to be replaced out of Lingma's sight; the last three are kept."""
    present = [path for name in bundles.MEMBERS if (path := work_dir / "cache" / name).is_file()]
    if not present:
        return
    kept = work_dir / STATE_DIR / _KEPT
    target = kept / f"{now_s:.6f}"
    for folder in (work_dir / STATE_DIR, kept, target):
        files.private_folder(folder)
    for path in present:
        path.chmod(0o600)
        os.replace(path, target / path.name)
    for old in sorted(kept.iterdir(), key=lambda folder: folder.name)[:-_KEPT_COUNT]:
        shutil.rmtree(old)


def _write(work_dir: Path, bundle: Bundle, now_s: float) -> None:
    cache = work_dir / "cache"
    files.private_folder(cache)
    # `user` comes last: a restore that is cut short leaves a work directory that is logged out, and is done again.
    for name in sorted(bundle.files, key=lambda member: member == "user"):
        files.replace(cache / name, bundle.files[name])
    record = json.dumps({"digest": bundle.digest, "time": now_s}).encode()
    files.private_folder(work_dir / STATE_DIR)
    files.replace(work_dir / STATE_DIR / _RECORD, record)
