"""Restoring a login from a session bundle into Lingma's work directory.

The files stay while the user's bundle is the one that they derive from and their login is good, because Lingma may have
refreshed the tokens in them since. Otherwise the newest login that derives from the user's bundle is restored: a
captured one, or that bundle itself. What is replaced is kept aside.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle, BundleError
from lingma_gateway.sessions import files, loginfiles
from lingma_gateway.sessions.captured import STATE_DIR, Captured

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


@dataclass(frozen=True, slots=True)
class Last:
    """What was restored last."""

    digest: str
    derived_from: str | None
    """Digest of the user's bundle at that time: its own, or that of the bundle which a capture derives from."""


def last(work_dir: Path) -> Last | None:
    """What was restored last; None where nothing is known of it."""
    try:
        record = json.loads((work_dir / STATE_DIR / _RECORD).read_text())
    except (FileNotFoundError, ValueError):
        return None
    digest = record.get("digest") if isinstance(record, dict) else None
    if not isinstance(digest, str):
        return None
    derived_from = record.get("derived_from", digest)
    return Last(digest, derived_from if isinstance(derived_from, str) else None)


def restore_bundle(
    work_dir: Path,
    bundle: Bundle | None,
    captures: Sequence[Captured] = (),
    now_s: Callable[[], float] = time.time,
) -> Restored:
    """Bring the work directory's login up to the user's `bundle`, if that is called for. Safe to run at any time.

    `captures`: newest first. Those that derive from another bundle do not count.
    """
    candidates = candidates_of(bundle, captures)
    if not candidates:
        return Restored(Outcome.NO_BUNDLE, "there is no session bundle")
    known, derived_from = last(work_dir), None if bundle is None else bundle.digest
    if (known.derived_from if known else None) == derived_from and _is_logged_in(work_dir, now_s()):
        return Restored(Outcome.KEPT, "the work directory holds a login that derives from this bundle")
    chosen = next((one for one in candidates if is_good(one.bundle.files, now_s())), candidates[0])
    put(work_dir, chosen, now_s())
    own = bundle is not None and chosen.bundle.digest == bundle.digest
    which = "the session bundle was restored" if own else "the captured session was restored"
    return Restored(Outcome.RESTORED, which)


def candidates_of(bundle: Bundle | None, captures: Sequence[Captured]) -> list[Captured]:
    """What may be restored, the newest first: captures that derive from the user's bundle, then the bundle itself."""
    derived_from = None if bundle is None else bundle.digest
    found = [captured for captured in captures if captured.derived_from == derived_from]
    return found if bundle is None else [*found, Captured(bundle, derived_from)]


def put(work_dir: Path, chosen: Captured, now_s: float) -> None:
    """Restore this one, whatever is there; that is kept aside."""
    _keep_aside(work_dir, now_s)
    _write(work_dir, chosen, now_s)


def is_good(content: Mapping[str, bytes], now_s: float) -> bool:
    """Whether files hold a login that can be read and has not expired."""
    try:
        expires_ms = loginfiles.expire_time_ms(content)
    except loginfiles.Undecipherable:
        return False
    return expires_ms is None or expires_ms > now_s * 1000


def _is_logged_in(work_dir: Path, now_s: float) -> bool:
    content = {}
    for name in bundles.REQUIRED:
        try:
            content[name] = (work_dir / "cache" / name).read_bytes()
        except FileNotFoundError:
            return False
    return is_good(content, now_s)


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


def _write(work_dir: Path, chosen: Captured, now_s: float) -> None:
    bundle, cache = chosen.bundle, work_dir / "cache"
    files.private_folder(cache)
    # `user` comes last: a restore that is cut short leaves a work directory that is logged out, and is done again.
    for name in sorted(bundle.files, key=lambda member: member == "user"):
        files.replace(cache / name, bundle.files[name])
    record = {"digest": bundle.digest, "derived_from": chosen.derived_from, "time": now_s}
    files.private_folder(work_dir / STATE_DIR)
    files.replace(work_dir / STATE_DIR / _RECORD, json.dumps(record).encode())
