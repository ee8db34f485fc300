"""Packing the login of a work directory into a session bundle, and telling what is in one without showing it."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle
from lingma_gateway.sessions import loginfiles
from lingma_gateway.sessions.loginfiles import Holder

_FINGERPRINT_CHARS = 12
"""Of the digest; enough to tell the bundles of one person apart."""

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


class PackError(ValueError):
    """The work directory holds no login that could be restored elsewhere; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What may be told about a bundle."""

    fingerprint: str
    sizes: Mapping[str, int]
    """Bytes by name inside `cache`."""
    holder: Holder | None
    """None where `user` cannot be read with `id`."""

    @property
    def expires(self) -> datetime | None:
        """When the login ends."""
        if self.holder is None or self.holder.expires_ms is None:
            return None
        try:
            return datetime.fromtimestamp(self.holder.expires_ms / 1000, UTC)
        except (OverflowError, ValueError, OSError):
            return None

    def usable(self, now_s: float) -> bool:
        """Whether a Lingma could log in with it, as far as the files say."""
        if self.holder is None:
            return False
        return self.holder.expires_ms is None or self.holder.expires_ms > now_s * 1000


def inspect(bundle: Bundle) -> Inspection:
    """What may be told about `bundle`."""
    try:
        holder = loginfiles.holder(bundle.files)
    except loginfiles.Undecipherable:
        holder = None
    sizes = {name: len(bundle.files[name]) for name in bundles.MEMBERS if name in bundle.files}
    return Inspection(bundle.digest[:_FINGERPRINT_CHARS], sizes, holder)


def read_login(work_dir: Path, now_s: float) -> Bundle:
    """The login of a Lingma's work directory.

    Raises:
        PackError: nobody is logged in there, or the login cannot be restored elsewhere.
        OSError: a file cannot be read.
    """
    if not work_dir.is_dir():
        raise PackError(f"{work_dir} is no folder: name Lingma's work directory with --work-dir")
    files = {name: content for name in bundles.MEMBERS if (content := _content(work_dir / "cache" / name)) is not None}
    for name in bundles.REQUIRED:
        if not files.get(name, b"").strip():
            raise PackError(f"{work_dir} has no cache/{name}: log this Lingma in first")
    try:
        expires_ms = loginfiles.expire_time_ms(files)
    except loginfiles.Undecipherable as error:
        raise PackError(f"the login in {work_dir} is of no use: {error}; log this Lingma in again") from error
    if expires_ms is not None and expires_ms <= now_s * 1000:
        ago = relative(expires_ms / 1000 - now_s)
        raise PackError(f"the login in {work_dir} expired {ago}: log this Lingma in again")
    return Bundle(files)


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(path.stat().st_mode):
                raise PackError(f"{path} is no plain file")
            content = file.read(bundles.MAX_MEMBER_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(content) > bundles.MAX_MEMBER_BYTES:
        raise PackError(f"{path} is larger than {bundles.MAX_MEMBER_BYTES} bytes, so it is no file of a login")
    return content


def relative(seconds: float) -> str:
    """`seconds` from now in words: "in 12 days", "3 hours ago"; rounded down, so that it never promises too much."""
    distance = int(abs(seconds))
    for unit, length in _UNITS:
        if distance >= length:
            count = distance // length
            words = f"{count} {unit}{'s' if count != 1 else ''}"
            return f"in {words}" if seconds > 0 else f"{words} ago"
    return "now"
