"""Keeps a login that Lingma has changed: a bundle that holds the old refresh token is stale.

That Lingma writes `cache/user` anew when tokens are refreshed, and that the refresh token changes with it, is assumed
from the fields' names (low); what is watched is the file itself, so it does not matter who refreshed or why.
"""

import logging
import time
from pathlib import Path
from typing import Protocol

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle
from lingma_contract.jsonlog import event
from lingma_gateway.sessions import captured, packing, restore
from lingma_gateway.sessions.captured import Captured

log = logging.getLogger(__name__)

Signature = tuple[tuple[int, int, int], ...]
"""Inode, time and size of the files that make a login."""


class CaptureSink(Protocol):
    """Takes a login that differs from the bundle it came from. Called from a thread."""

    def captured(self, bundle: Bundle, derived_from: str | None) -> None:
        """`derived_from` is the digest of the user's bundle that is in force, None where there is none.

        Raises:
            OSError: it could not be kept; it is offered again.
        """
        ...


class FileSink:
    """Keeps it in the work directory, from where the operator takes it to a Secret."""

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir

    def captured(self, bundle: Bundle, derived_from: str | None) -> None:
        captured.keep(self._work_dir, Captured(bundle, derived_from))


class Watch:
    """Looks at the login files of one work directory and hands what is new to the sink."""

    def __init__(self, work_dir: Path, sink: CaptureSink) -> None:
        self._work_dir = work_dir
        self._cache = work_dir / "cache"
        self._sink = sink
        self._seen: Signature | None = None
        self._unreadable: Signature | None = None
        kept = captured.kept(work_dir)
        self._kept: str | None = None if kept is None else kept.bundle.digest

    @property
    def kept(self) -> str | None:
        """Digest of the login that was captured last, by this process or by the one before it."""
        return self._kept

    def look(self) -> bool:
        """Capture the login if its files changed since the last look. Cheap where they did not. True: captured."""
        signature = self._signature()
        if signature is None or signature == self._seen:
            return False
        try:
            bundle = packing.read_login(self._work_dir, time.time())
        except (packing.PackError, OSError) as error:
            self._complain(signature, error)
            return False
        last = restore.last(self._work_dir)
        new = bundle.digest not in (last.digest if last else None, self._kept)
        if new:
            try:
                self._sink.captured(bundle, last.derived_from if last else None)
            except OSError as error:
                event(log, "session_not_captured", level=logging.WARNING, error=type(error).__name__)
                return False
            event(log, "session_captured", derived=last is not None)
            self._kept = bundle.digest
        self._seen = signature
        return new

    def _complain(self, signature: Signature, error: Exception) -> None:
        """Caught in the middle of a write, the next look sees it whole; one that stays so is told once."""
        if self._unreadable == signature:
            event(log, "session_not_captured", level=logging.WARNING, error=str(error)[:200])
            self._seen = signature
        self._unreadable = signature

    def _signature(self) -> Signature | None:
        """Which versions of the two files that make a login are there; None where one is missing."""
        try:
            stats = [(self._cache / name).stat() for name in bundles.REQUIRED]
        except OSError:
            return None
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)
